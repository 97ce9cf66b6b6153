import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { z } from 'zod'
import { RingsideError } from '@shared/errors'
import { mostSerialPorts, mostVirtioConsoles } from '@shared/model'
import type { ArgvInput } from '../argv'
import type { PreSharedKey } from '../endpoint'
import type { RunFiles } from './run-files'

type Endpoints = ArgvInput['endpoints']

/** The endpoints of one run, and the folder with its keys where it needs any. */
export interface RunEndpoints { endpoints: Endpoints; tlsFolder: string | null }

/** Those that there may be, as ports come and go while the machine runs. */
const mostConsolePorts = mostSerialPorts + mostVirtioConsoles

/** What has to be known to reach a run over TCP again: kept in the run's private folder. */
const TcpRecord = z.object({ monitorPort: z.int(), identity: z.string(), key: z.string(), vncPassword: z.string() })
type TcpRecord = z.infer<typeof TcpRecord>

const identity = 'ringside'

/** Endpoints for a new run. On Windows this makes keys and picks the monitor's port. */
export async function newEndpoints(files: RunFiles, platform: NodeJS.Platform = process.platform): Promise<RunEndpoints> {
  if (platform !== 'win32') return unixEndpoints(files)
  const record: TcpRecord = {
    monitorPort: await freePort(), identity, key: randomBytes(32).toString('hex'), vncPassword: randomBytes(6).toString('base64url'),
  }
  const folder = tcpFolder(files)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(join(folder, 'keys.psk'), `${record.identity}:${record.key}\n`, { mode: 0o600 })
  await writeFile(passwordFile(folder), record.vncPassword, { mode: 0o600 })
  await writeFile(recordFile(folder), JSON.stringify(record), { mode: 0o600 })
  return tcpEndpoints(folder, record)
}

/** Endpoints of a run that somebody else started. Throws `NOT_FOUND` when its record is gone. */
export async function knownEndpoints(files: RunFiles, platform: NodeJS.Platform = process.platform): Promise<RunEndpoints> {
  if (platform !== 'win32') return unixEndpoints(files)
  const folder = tcpFolder(files)
  try {
    return tcpEndpoints(folder, TcpRecord.parse(JSON.parse(await readFile(recordFile(folder), 'utf8'))))
  } catch (cause) {
    throw new RingsideError('NOT_FOUND', `Nothing says how to reach the running machine: ${recordFile(folder)}`, {
      path: recordFile(folder), hint: 'End its QEMU process, then start the machine again.',
    }, { cause })
  }
}

function unixEndpoints({ runtime }: RunFiles): RunEndpoints {
  return {
    tlsFolder: null,
    endpoints: {
      qmp: { kind: 'unix', path: runtime.qmp },
      debugMonitor: null,
      agent: { kind: 'unix', path: runtime.agent },
      serial: Array.from({ length: mostConsolePorts }, (_, index) => ({ kind: 'unix' as const, path: runtime.serial(index) })),
      graphics: { kind: 'unix', path: runtime.vnc },
      tpm: runtime.tpm,
    },
  }
}

function tcpEndpoints(folder: string, record: TcpRecord): RunEndpoints {
  const psk: PreSharedKey = { identity: record.identity, key: record.key }
  // Port 0: QEMU chooses, and tells over the monitor.
  return {
    tlsFolder: folder,
    endpoints: {
      qmp: { kind: 'tcp', port: record.monitorPort, psk },
      debugMonitor: null,
      agent: { kind: 'tcp', port: 0, psk },
      serial: Array.from({ length: mostConsolePorts }, () => ({ kind: 'tcp' as const, port: 0, psk })),
      graphics: { kind: 'tcp', passwordFile: passwordFile(folder) },
      // Over sockets of files alone: it has no guard on a port.
      tpm: null,
    },
  }
}

const tcpFolder = ({ runtime }: RunFiles): string => join(runtime.folder, 'tls')
const passwordFile = (folder: string): string => join(folder, 'vnc-password')
const recordFile = (folder: string): string => join(folder, 'endpoints.json')

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  await new Promise<void>((resolve) => { server.close(() => { resolve() }) })
  if (address === null || typeof address === 'string') throw new RingsideError('INTERNAL', 'No free port was found.')
  return address.port
}
