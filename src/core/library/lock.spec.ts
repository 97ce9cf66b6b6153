import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type LibraryLock, acquireLibraryLock, findHost } from './lock'
import { dataPaths, hostAddress } from './paths'

let folder: string
let data: string
let runtime: string
const locks: LibraryLock[] = []
const children: ChildProcess[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rs-lock-'))
  data = join(folder, 'data')
  runtime = join(folder, 'run')
  await mkdir(runtime, { mode: 0o700 })
})
afterEach(async () => {
  await Promise.all(locks.splice(0).map((lock) => lock.release()))
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

async function acquire(root = runtime): Promise<LibraryLock> {
  const lock = await acquireLibraryLock(data, root)
  locks.push(lock)
  return lock
}

/** Another process that listens where a host would; killed, it leaves its socket behind. */
async function listener(address: string): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    ['-e', `require('node:net').createServer().listen(${JSON.stringify(address)}, () => console.log('up'))`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  children.push(child)
  await once(child.stdout, 'data')
  return child
}

test('a library has one host; the second is told which process holds it', async () => {
  const first = await acquire()
  await expect(acquire()).rejects.toMatchObject({
    code: 'LIBRARY_LOCKED',
    message: expect.stringMatching(
      new RegExp(`^The library is open in another Ringside \\(process ${String(process.pid)}, since .+\\): ${join(data, 'library')}$`, 'u'),
    ) as string,
    data: { hint: expect.stringContaining('RINGSIDE_DATA') as string },
  })
  expect(await findHost(data, runtime)).toEqual({ address: first.address, pid: process.pid })
  await first.release()
  expect(await findHost(data, runtime)).toBeNull()
  await acquire()
})

test('of many that start at once exactly one becomes the host', async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => acquire()))
  expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1)
  for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'LIBRARY_LOCKED' })
})

test('a host in a session with another runtime folder is noticed', async () => {
  await acquire()
  const other = join(folder, 'other')
  await mkdir(other)
  await expect(acquire(other)).rejects.toMatchObject({ code: 'LIBRARY_LOCKED' })
  expect((await findHost(data, other))?.pid).toBe(process.pid)
})

test('two libraries have a host each', async () => {
  await acquire()
  const second = await acquireLibraryLock(join(folder, 'data2'), runtime)
  locks.push(second)
})

test.runIf(process.platform !== 'win32')('the socket of a host that was killed is taken over, of one that lives it is not', async () => {
  await mkdir(data)
  const address = hostAddress(runtime, data)
  const child = await listener(address)
  await expect(acquire()).rejects.toMatchObject({ code: 'LIBRARY_LOCKED' })
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect((await stat(address)).isSocket()).toBe(true)
  const outcomes = await Promise.allSettled([acquire(), acquire(), acquire()])
  expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1)
  expect((await stat(address)).mode & 0o777).toBe(0o600)
  expect(JSON.parse(await readFile(dataPaths(data).hostRecord, 'utf8'))).toMatchObject({ pid: process.pid, address })
})

test.runIf(process.platform !== 'win32')('a file in the place of the socket is not removed', async () => {
  await mkdir(data)
  const address = hostAddress(runtime, data)
  await writeFile(address, 'precious')
  await expect(acquire()).rejects.toMatchObject({
    code: 'FILE_EXISTS',
    message: `Something that is no socket lies where the host of the library listens: ${address}`,
  })
  expect(await readFile(address, 'utf8')).toBe('precious')
})

test('a mutex that a killed process left is broken', async () => {
  await mkdir(data)
  const mutex = `${dataPaths(data).hostRecord}.taking`
  await mkdir(mutex)
  const longAgo = new Date(Date.now() - 60_000)
  await utimes(mutex, longAgo, longAgo)
  await acquire()
  expect(await readdir(data)).toEqual(['host.json'])
})

test('connections that came before the server was attached are handed over', async () => {
  const lock = await acquire()
  const arrived = once(lock.server, 'connection')
  const client = connect(lock.address)
  await arrived
  lock.serve((socket) => socket.end('hello'))
  const [greeting] = (await once(client, 'data')) as [Buffer]
  expect(greeting.toString()).toBe('hello')
})
