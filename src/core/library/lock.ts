import { chmod, lstat, mkdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises'
import { type Server, type Socket, connect, createServer } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { RingsideError } from '@shared/errors'
import { errnoOf, fileError, makeFolder, writeAtomically } from '../config'
import { dataPaths, hostAddress } from './paths'

/** Who hosts a library. Beside the library, so that it is found even from a session with another runtime folder. */
const HostRecord = z.object({ pid: z.int(), address: z.string(), startedAt: z.string() })
export type HostRecord = z.infer<typeof HostRecord>

/** The right to be the one host of a library: a server that listens on its local socket. */
export interface LibraryLock extends AsyncDisposable {
  readonly address: string
  readonly server: Server
  /** Hands over every connection, those that came before too. Called once, by whoever serves the contract. */
  serve(handler: (socket: Socket) => void): void
  /** Closes the socket and all its connections. Another host can open the library then. */
  release(): Promise<void>
}

/**
 * Becomes the host of the library in a data folder.
 *
 * The lock is the listening socket: the system takes it away with the process, so that nothing is left to go stale but the socket's
 * name, which is replaced when nobody answers behind it. Taking it is done by one process at a time (a folder as a mutex), else two
 * that meet a stale name could both take it.
 * Throws `LIBRARY_LOCKED` that names the other host's process.
 */
export async function acquireLibraryLock(dataFolder: string, runtimeRoot: string): Promise<LibraryLock> {
  const paths = dataPaths(dataFolder)
  await makeFolder(paths.data)
  const address = hostAddress(runtimeRoot, paths.data)
  const releaseMutex = await takeMutex([`${paths.hostRecord}.taking`, ...(process.platform === 'win32' ? [] : [`${address}.taking`])])
  try {
    const record = await readHostRecord(dataFolder)
    // A host that was started with another runtime folder listens elsewhere.
    if (record !== null && record.address !== address && (await answers(record.address))) throw locked(paths.library, record)
    const lock = await listen(address, () => locked(paths.library, record))
    try {
      const mine: HostRecord = { pid: process.pid, address, startedAt: new Date().toISOString() }
      await writeAtomically(paths.hostRecord, JSON.stringify(mine))
    } catch (error) {
      if (!takesNoEntries(error)) {
        await lock.release()
        throw error
      }
    }
    return lock
  } finally {
    await releaseMutex()
  }
}

/** Where the host of the library listens, when one runs: what a command-line tool attaches to. null: nobody hosts it. */
export async function findHost(dataFolder: string, runtimeRoot: string): Promise<{ address: string; pid: number | null } | null> {
  const record = await readHostRecord(dataFolder)
  const address = hostAddress(runtimeRoot, dataFolder)
  for (const candidate of new Set([record?.address, address])) {
    if (candidate !== undefined && (await answers(candidate)))
      return { address: candidate, pid: candidate === record?.address ? record.pid : null }
  }
  return null
}

async function readHostRecord(dataFolder: string): Promise<HostRecord | null> {
  try {
    return HostRecord.parse(JSON.parse(await readFile(dataPaths(dataFolder).hostRecord, 'utf8')))
  } catch {
    return null
  }
}

async function listen(address: string, refuse: () => RingsideError): Promise<LibraryLock> {
  const sockets = new Set<Socket>()
  let waiting: Socket[] | null = []
  let handler: ((socket: Socket) => void) | null = null
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    // Whoever only asks whether somebody is there hangs up at once.
    socket.on('error', () => socket.destroy())
    if (handler !== null) handler(socket)
    else waiting?.push(socket)
  })
  try {
    await listenOn(server, address)
  } catch (error) {
    if (errnoOf(error) !== 'EADDRINUSE') throw fileError(error, address, 'opened')
    if (process.platform === 'win32' || (await answers(address))) throw refuse()
    await removeStaleSocket(address)
    await listenOn(server, address).catch((cause: unknown) => {
      throw fileError(cause, address, 'opened')
    })
  }
  if (process.platform !== 'win32') await chmod(address, 0o600)
  let released: Promise<void> | null = null
  const release = (): Promise<void> =>
    (released ??= new Promise((resolve) => {
      server.close(() => {
        resolve()
      })
      for (const socket of sockets) socket.destroy()
    }))
  return {
    address,
    server,
    serve: (given) => {
      handler = given
      const early = waiting ?? []
      waiting = null
      for (const socket of early) if (!socket.destroyed) given(socket)
    },
    release,
    [Symbol.asyncDispose]: release,
  }
}

function listenOn(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(address, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Whether somebody listens. A socket that may not be connected to, or whose queue is full, has somebody behind it. */
function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(address)
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', () => {
      end(true)
    })
    socket.once('error', (error) => {
      end(!['ENOENT', 'ECONNREFUSED', 'ENOTSOCK'].includes(errnoOf(error)))
    })
    socket.setTimeout(2000, () => {
      end(true)
    })
  })
}

async function removeStaleSocket(address: string): Promise<void> {
  const found = await lstat(address)
  if (!found.isSocket()) {
    throw new RingsideError('FILE_EXISTS', `Something that is no socket lies where the host of the library listens: ${address}`, {
      path: address,
      hint: 'Move it away and start again.',
    })
  }
  await rm(address)
}

/** A process that was killed while it held the mutex leaves it; nothing in it takes longer than a few connection attempts. */
const mutexExpiresMs = 15_000

/**
 * A full or read-only drive must not keep a library from being opened: its machines may run, and deleting some of them is what makes room.
 * What is lost without the record is only that sessions with another runtime folder find this host.
 */
function takesNoEntries(thrown: unknown): boolean {
  const cause = thrown instanceof Error ? thrown.cause : undefined
  return [thrown, cause].some((error) => ['ENOSPC', 'EDQUOT', 'EROFS'].includes(errnoOf(error)))
}

/** @param places the mutex is the first of these folders that can be made */
async function takeMutex([folder = '', ...others]: readonly string[]): Promise<() => Promise<void>> {
  const giveUpAt = Date.now() + 2 * mutexExpiresMs
  for (;;) {
    try {
      await mkdir(folder, { mode: 0o700 })
      return () => rmdir(folder).catch(() => undefined)
    } catch (error) {
      if (others.length > 0 && takesNoEntries(error)) return await takeMutex(others)
      if (errnoOf(error) !== 'EEXIST') throw fileError(error, dirname(folder), 'written')
      if (Date.now() > giveUpAt) {
        throw new RingsideError('LIBRARY_LOCKED', `Another Ringside has been opening this library for too long: ${folder}`, {
          path: folder,
          hint: 'If none is running, delete this folder.',
        })
      }
      await breakStaleMutex(folder)
      await delay(25)
    }
  }
}

/** Two that break it at once rename the same folder, and only one succeeds; one that got hold of a fresh mutex puts it back. */
async function breakStaleMutex(folder: string): Promise<void> {
  const aside = `${folder}.${String(process.pid)}`
  try {
    if (await isFresh(folder)) return
    await rename(folder, aside)
    if (await isFresh(aside)) await rename(aside, folder)
    else await rmdir(aside)
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(errnoOf(error))) throw error
  }
}

async function isFresh(folder: string): Promise<boolean> {
  return Date.now() - (await stat(folder)).mtimeMs < mutexExpiresMs
}

function locked(library: string, record: HostRecord | null): RingsideError {
  const who = record === null ? 'another Ringside' : `another Ringside (process ${String(record.pid)}, since ${record.startedAt})`
  return new RingsideError('LIBRARY_LOCKED', `The library is open in ${who}: ${library}`, {
    path: library,
    hint: 'Use its window or the command line, which attach to it, or end it first. RINGSIDE_DATA chooses another library.',
  })
}
