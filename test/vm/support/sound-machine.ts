import { createHash } from 'node:crypto'
import { copyFile, open, readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import type { SnapshotManifest, SnapshotTree } from '@shared/model'
import { run, qemuImg } from './storage-host'
import { qemuProgram } from './bare-qemu'
import { readLedger, type Ledger } from './ledger-guest'
import { TemporaryFolder } from './temporary-folder'

/** Digest of what each disk of an instant holds, by the disk's id. */
export type Content = Readonly<Record<string, string>>

/** The file that a qcow2 reads from, in its header's words; null when it stands alone. (docs/interop/qcow2.txt of QEMU: offset 8, length at 16.) */
export async function backingOf(path: string): Promise<string | null> {
  await using file = await open(path)
  const read = async (start: number, length: number): Promise<Buffer> => (await file.read({ buffer: Buffer.alloc(length), position: start })).buffer
  const header = await read(0, 20)
  if (header.toString('latin1', 0, 4) !== 'QFI\xfb') throw new Error(`This is no qcow2: ${path}`)
  const [start, length] = [Number(header.readBigUInt64BE(8)), header.readUInt32BE(16)]
  return start === 0 ? null : (await read(start, length)).toString('utf8')
}

/** A qcow2 and all that it reads from, the nearest first. */
export async function chainOf(path: string): Promise<string[]> {
  const backing = await backingOf(path)
  return [path, ...(backing === null ? [] : await chainOf(resolve(dirname(path), backing)))]
}

/** What a qcow2 holds, through all its layers. Also while a guest writes to it. */
export async function readDisk(path: string): Promise<Buffer> {
  await using folder = await TemporaryFolder.make('ringside-disk-')
  await qemuImg('convert', '-U', '-f', 'qcow2', '-O', 'raw', path, folder.in('raw'))
  return await readFile(folder.in('raw'))
}

interface WithDisks {
  disks: { id: string; image: { kind: string; path: string } }[]
}

/** The content of each disk that a definition names. */
export async function readDisks(machineFolder: string, definition: WithDisks): Promise<Record<string, Buffer>> {
  const contents: Record<string, Buffer> = {}
  for (const { id, image } of definition.disks) contents[id] = await readDisk(imageOf(machineFolder, image))
  return contents
}

function imageOf(machineFolder: string, { kind, path }: { kind: string; path: string }): string {
  return kind === 'own' ? join(machineFolder, path) : path
}

export function digests(contents: Record<string, Buffer>): Content {
  return Object.fromEntries(Object.entries(contents).map(([id, content]) => [id, createHash('sha256').update(content).digest('hex')]))
}

export async function readManifest(machineFolder: string, snapshotId: string): Promise<SnapshotManifest> {
  return JSON.parse(await readFile(join(machineFolder, 'snapshots', snapshotId, 'snapshot.json'), 'utf8')) as SnapshotManifest
}

/** The content of a snapshot's disks. */
export async function readSnapshot(machineFolder: string, snapshotId: string): Promise<Record<string, Buffer>> {
  return readDisks(machineFolder, (await readManifest(machineFolder, snapshotId)).definition)
}

/**
 * The ledger of an instant. Its disks were written one after the other, so that the second may be one number behind the first.
 * @throws when they are not of one instant
 */
export function ledgerOf(contents: Record<string, Buffer>): Ledger {
  const [first, ...others] = Object.values(contents).map(readLedger)
  if (first === undefined) throw new Error('The machine has no disks.')
  for (const other of others) {
    if (first.number - other.number !== 0 && first.number - other.number !== 1) {
      throw new Error(`One disk is of the instant ${String(first.number)} and another of ${String(other.number)}.`)
    }
  }
  return first
}

/** Has qemu-img check every qcow2 of a machine. @returns what it finds wrong, by path from the machine's folder */
export function checkImages(machineFolder: string): Promise<Record<string, string>> {
  return new KnownFiles().faults(machineFolder)
}

/**
 * What `qemu-img check` has against a qcow2. Lost clusters harm nothing. A QEMU that was killed leaves an image marked as dirty, whose reference counts are not to be trusted (lazy reference
 * counts): whoever opens it to write counts anew first, and so is it done here, to a copy.
 */
async function check(path: string): Promise<string | null> {
  if (!(await isMarkedDirty(path))) return faultOf(path)
  await using folder = await TemporaryFolder.make('ringside-dirty-')
  const copy = folder.in('copy.qcow2')
  await copyFile(path, copy)
  await run(await qemuProgram('qemu-img'), ['check', '-q', '-f', 'qcow2', '-r', 'all', copy])
  return faultOf(copy)
}

/** 0: nothing is wrong; 3: clusters are lost. */
async function faultOf(path: string): Promise<string | null> {
  return run(await qemuProgram('qemu-img'), ['check', '-U', '-f', 'qcow2', path]).then(
    () => null,
    (error: { code: number; stdout: string; stderr: string }) => (error.code === 3 ? null : `${String(error.code)}: ${error.stdout}${error.stderr}`),
  )
}

/** Bit 0 of the incompatible features, at 72 in the header of version 3 (docs/interop/qcow2.txt of QEMU). */
async function isMarkedDirty(path: string): Promise<boolean> {
  await using file = await open(path)
  const header = (await file.read({ buffer: Buffer.alloc(80), position: 0 })).buffer
  return header.readUInt32BE(4) >= 3 && (header.readBigUInt64BE(72) & 1n) === 1n
}

/** File systems keep times in steps of up to two seconds (FAT): what changed that short a time ago may change again and look the same. */
const timeStepMs = 2000

/** Digests of disks and findings of `qemu-img check`, each made once for the same bytes: for tests that come to the same files again and again. */
export class KnownFiles {
  readonly #digests = new Map<string, { stamp: string; digest: string }>()
  readonly #contents = new Map<string, Promise<string>>()
  readonly #sound = new Map<string, Promise<string | null>>()

  /** The digest of what a disk holds. */
  async content(path: string): Promise<string> {
    const key = (await Promise.all((await chainOf(path)).map((layer) => this.#digest(layer)))).join()
    const known = this.#contents.get(key) ?? readDisk(path).then((content) => createHash('sha256').update(content).digest('hex'))
    this.#contents.set(key, known)
    return known
  }

  /** The content of each disk that a definition names. */
  async contents(machineFolder: string, { disks }: WithDisks): Promise<Content> {
    return Object.fromEntries(await Promise.all(disks.map(async ({ id, image }) => [id, await this.content(imageOf(machineFolder, image))] as const)))
  }

  /** What `qemu-img check` has against each qcow2 of a machine, by path from its folder. */
  async faults(machineFolder: string): Promise<Record<string, string>> {
    const found: Record<string, string> = {}
    for (const own of (await ownFiles(machineFolder)).filter((file) => file.endsWith('.qcow2'))) {
      const said = await this.fault(join(machineFolder, own))
      if (said !== null) found[own] = said
    }
    return found
  }

  /** What it has against one; null: nothing. */
  async fault(path: string): Promise<string | null> {
    const key = await this.#digest(path)
    const known = this.#sound.get(key) ?? check(path)
    this.#sound.set(key, known)
    return known
  }

  /** The digest of a file, read again once anything was written to it. */
  async #digest(path: string): Promise<string> {
    const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = await stat(path, { bigint: true })
    const stamp = [dev, ino, size, mtimeNs, ctimeNs].join(':')
    const known = this.#digests.get(path)
    if (known?.stamp === stamp) return known.digest
    const isSettled = Date.now() - Number(ctimeMs) > timeStepMs
    const digest = createHash('sha256').update(await readFile(path)).digest('hex')
    if (isSettled) this.#digests.set(path, { stamp, digest })
    return digest
  }
}

/** Every file in a machine's folder, relative to it, but for its logs. */
export async function ownFiles(machineFolder: string): Promise<string[]> {
  const names = await readdir(machineFolder, { recursive: true })
  const files = await Promise.all(names.map(async (name) => ((await stat(join(machineFolder, name)).catch(() => null))?.isFile() === true ? name : null)))
  return files.filter((name) => name !== null && !name.startsWith('logs/')).map(String).toSorted()
}

/**
 * Files in the folders of disks and snapshots that nothing names or reads from, found without the product: they have to be in its list of what is left over.
 * @param names further definitions that name files: that of a run, of saved state
 */
export async function strayFiles(machineFolder: string, names: readonly WithDisks[]): Promise<string[]> {
  const files = (await ownFiles(machineFolder)).filter((file) => /^(?:disks|firmware|snapshots)\//u.test(file))
  const used = new Set<string>()
  const use = async (own: string): Promise<void> => {
    for (const path of await chainOf(join(machineFolder, own))) used.add(relative(machineFolder, path))
  }
  for (const definition of names) for (const { image } of definition.disks) await use(image.path)
  for (const file of files.filter((one) => one.endsWith('/snapshot.json') && !one.includes('/.'))) {
    const folder = file.slice(0, -'/snapshot.json'.length)
    for (const name of ['snapshot.json', 'ram.state', 'screen.png']) used.add(`${folder}/${name}`)
    const { definition } = await readManifest(machineFolder, folder.slice('snapshots/'.length))
    for (const { image } of definition.disks) await use(image.path)
  }
  return files.filter((file) => !used.has(file))
}

/** The files of `strays` that the tree does not list as left over. */
export function unlisted(strays: readonly string[], { orphans }: Pick<SnapshotTree, 'orphans'>): string[] {
  return strays.filter((file) => !orphans.some(({ path }) => file === path || file.startsWith(`${path}/`)))
}
