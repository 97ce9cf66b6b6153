import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { constants, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { MemoryFile } from '../../engine'
import { FakeQmp } from './fake-qmp.fixture'
import { loadState } from './load-state'

let folder: string
let socket: string
let server: Server
/** QEMU's end of the channel. Nothing is read from it unless the test does. */
let channel: Promise<Socket>
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rs-load-'))
  socket = join(folder, 'ram')
  const arrival = Promise.withResolvers<Socket>()
  channel = arrival.promise
  server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, arrival.resolve)
  await new Promise<void>((resolve) => { server.listen(socket, resolve) })
})
afterEach(async () => {
  server.close()
  await rm(folder, { recursive: true, force: true })
})

async function memory(content: Uint8Array, compression: MemoryFile['compression'] = 'none'): Promise<MemoryFile> {
  const path = join(folder, 'ram.state')
  await writeFile(path, content)
  return { path, format: 'stream', compression }
}

const compressed = (content: Uint8Array): Buffer => zstdCompressSync(content, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })

/** More than a socket takes without a reader. */
const content = Buffer.from(Array.from({ length: 4_000_000 }, (_, index) => (index * 31 + (index >> 7) * 17) & 0xff))

/** A QEMU that hangs up when it is first asked, and then says what became of it. */
function hangingUp(then: object): FakeQmp {
  let asked = 0
  return new FakeQmp({
    'query-migrate': async () => {
      if (++asked === 1) (await channel).destroy()
      return asked > 2 ? then : { status: 'active' }
    },
  })
}

test.skipIf(process.platform === 'win32')('a QEMU that hangs up on state that was all sent is asked for its reason', async () => {
  const qmp = hangingUp({ status: 'failed', 'error-desc': 'not a migration stream' })
  await expect(loadState(qmp.client, { memory: await memory(Buffer.alloc(50_000, 7)), socket, features: {} })).rejects.toMatchObject({
    code: 'QEMU_FAILED', message: expect.stringContaining('not a migration stream') as string,
  })
})

test.skipIf(process.platform === 'win32').each(['none', 'zstd'] as const)('a QEMU that has all that it wants may hang up before the end (%s)', async (compression) => {
  const qmp = new FakeQmp({ 'query-migrate': () => ({ status: 'completed' }) })
  const loading = loadState(qmp.client, { memory: await memory(compression === 'none' ? content : compressed(content), compression), socket, features: {} })
  ;(await channel).destroy()
  await loading
})

test.skipIf(process.platform === 'win32')('compressed memory arrives as it was, also at a QEMU that could read files by itself', async () => {
  const qmp = new FakeQmp({ 'query-migrate': () => ({ status: 'completed' }) })
  const loading = loadState(qmp.client, { memory: await memory(compressed(content), 'zstd'), socket, features: { fileMigration: true } })
  const qemu = await channel
  expect(content.equals(await buffer(qemu))).toBe(true)
  qemu.destroy()
  await loading
})

test.skipIf(process.platform === 'win32').each([
  ['cut off', (whole: Buffer) => whole.subarray(0, whole.length / 2)],
  ['damaged in the middle', (whole: Buffer) => { whole.writeUInt32LE(0xdeadbeef, Math.floor(whole.length / 2)); return whole }],
  ['something else', () => Buffer.from('no memory at all')],
])('compressed memory that is %s is said to be damaged', async (_, harm) => {
  const saved = await memory(harm(compressed(content)), 'zstd')
  const loading = loadState(new FakeQmp({ 'query-migrate': () => ({ status: 'active' }) }).client, { memory: saved, socket, features: {} })
  void channel.then((qemu) => { qemu.resume() })
  await expect(loading).rejects.toMatchObject({ code: 'QEMU_FAILED', message: expect.stringContaining('damaged') as string, data: { path: saved.path } })
})

test('a file that is gone is said to be', async () => {
  const path = join(folder, 'none')
  await expect(loadState(new FakeQmp().client, { memory: { path, format: 'stream', compression: 'none' }, socket, features: {} })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', data: { path } })
})
