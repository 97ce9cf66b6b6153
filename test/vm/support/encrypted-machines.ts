import { createHash } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { newDiskOptions } from '@core/creation'
import { newDiskKey, sealKey, writeKeyFile } from '@core/encryption/key-file'
import { createImageTool } from '@core/engine/qemu'
import { qemuProgram } from './bare-qemu'
import { assembleLedgerDisk } from './ledger-guest'
import { bareHardware, diskMachine } from './ledger-machines'
import type { NewMachine } from './real-host'
import { ownFiles } from './sound-machine'
import { TemporaryFolder } from './temporary-folder'

export const passphrase = 'mountain-Überraschung 17'

/** Text of the ledger guest's program: where it can be read, something lies in the clear. */
const mark = Buffer.from('write failed')

/** A machine that keeps its ledger on an encrypted disk. @param told its disk key, as soon as it is made */
export function encryptedLedgerMachine(name: string, told: (key: string) => void = () => undefined): NewMachine {
  const { definition } = diskMachine(name, [assembleLedgerDisk()])
  return {
    name,
    definition: { ...definition, ...bareHardware, disks: (definition?.disks ?? []).map((disk) => ({ ...disk, encrypted: true })) },
    async prepare({ disksFolder, keyFile }) {
      const key = newDiskKey()
      told(key)
      await writeKeyFile(keyFile, await sealKey(key, passphrase, { createdBy: 'test', cost: { cost: 2 ** 12, blockSize: 8, parallel: 1 } }))
      const raw = join(disksFolder, 'content')
      await writeFile(raw, assembleLedgerDisk())
      const tool = createImageTool(await qemuProgram('qemu-img'), { of: () => Promise.resolve(key), folder: disksFolder, systemPath: '' })
      await tool.convert({
        source: raw, sourceFormat: 'raw', target: join(disksFolder, 'disk0.qcow2'), targetFormat: 'qcow2', options: newDiskOptions, encryption: { key }, onProgress: () => undefined, signal: new AbortController().signal,
      })
      await rm(raw)
    },
  }
}

/** Digest of what an encrypted disk that nobody has open holds. @param key of the machine's disks */
export async function digestOfEncrypted(path: string, key: string): Promise<string> {
  await using folder = await TemporaryFolder.make('ringside-disk-')
  const tool = createImageTool(await qemuProgram('qemu-img'), { of: () => Promise.resolve(key), folder: folder.path, systemPath: '' })
  await tool.convert({ source: path, sourceFormat: 'qcow2', target: folder.in('raw'), targetFormat: 'raw', options: [], encryption: 'none', onProgress: () => undefined, signal: new AbortController().signal })
  return createHash('sha256').update(await readFile(folder.in('raw'))).digest('hex')
}

/** Images of a machine that are not encrypted, and files beside its logs and its memory in which something of its disk can be read. */
export async function plainParts(folder: string): Promise<string[]> {
  const found: string[] = []
  for (const own of await ownFiles(folder)) {
    if (own.endsWith('ram.state')) continue
    const content = await readFile(join(folder, own))
    // The method of encryption is at byte 32 of a qcow2's header; 2: LUKS (docs/interop/qcow2.txt).
    const isPlain = content.toString('latin1', 0, 4) === 'QFI\xfb' && content.readUInt32BE(32) !== 2
    if (isPlain || content.includes(mark)) found.push(own)
  }
  return found
}

/** Where any of these texts can be read by whoever lists processes, or in the files of a folder. */
export async function leaksOf(texts: readonly string[], folders: readonly string[]): Promise<string[]> {
  const files = ['cmdline', 'environ']
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/u.test(name)).flatMap((pid) => files.map((file) => `/proc/${pid}/${file}`))
  const inFolders = (await Promise.all(folders.map(async (folder) => (await readdir(folder, { recursive: true })).map((name) => join(folder, name))))).flat()
  const found: string[] = []
  for (const path of [...processes, ...inFolders.filter((name) => !/\.(?:qcow2|state)$|qmp$|serial\d$|vnc$|agent$/u.test(name))]) {
    const content = await readFile(path).catch(() => Buffer.alloc(0))
    if (texts.some((text) => content.includes(text))) found.push(path)
  }
  return found
}

/** `done`, or with which code it was refused. */
export const codeOf = (work: Promise<unknown>): Promise<string> => work.then(() => 'done', (error: { code?: string; message: string }) => error.code ?? error.message)
