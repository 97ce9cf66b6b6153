import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { duplexPair, type Duplex } from 'node:stream'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ByteChannel } from './byte-channel'
import { SerialHub, scrollbackBytes } from './serial-hub'

let folder: string
let log: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringside-serial-'))
  log = join(folder, 'serial0.log')
})

afterEach(() => rm(folder, { recursive: true, force: true }))

/** A viewer that keeps what it gets, or leaves it in its queue. */
class Viewer implements ByteChannel {
  readonly received: Buffer[] = []
  queuedBytes = 0
  closed: { code: number; reason: string } | null = null
  paused = false
  #onData: (bytes: Uint8Array) => void = () => undefined
  #onClose: () => void = () => undefined

  constructor(private readonly reads = true) {}

  get text(): string {
    return Buffer.concat(this.received).toString('latin1')
  }

  send(bytes: Uint8Array): void {
    if (this.reads) this.received.push(Buffer.from(bytes))
    else this.queuedBytes += bytes.length
  }

  type(text: string): void {
    this.#onData(Buffer.from(text))
  }

  leave(): void {
    this.#onClose()
  }

  onDrain(): void {
    // Nothing waits for it.
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#onData = listener
  }

  onClose(listener: () => void): void {
    this.#onClose = listener
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  close(code: number, reason: string): void {
    this.closed = { code, reason }
  }
}

/** A hub with the guest's end of its port. */
function openHub(): { hub: SerialHub; guest: Duplex } {
  const [guest, host] = duplexPair()
  return { hub: new SerialHub(() => Promise.resolve(host), log), guest }
}

test('a viewer has what was logged, then what comes', async () => {
  await writeFile(log, 'before\n')
  const { hub, guest } = openHub()
  const viewer = new Viewer()
  await hub.attach(viewer)
  expect(viewer.text).toBe('before\n')
  guest.write('after\n')
  await vi.waitFor(() => { expect(viewer.text).toBe('before\nafter\n') })
  hub.close()
  expect(viewer.closed?.code).toBe(1001)
})

test('bytes that are both in the log and on the wire come once', async () => {
  const [guest, host] = duplexPair()
  await writeFile(log, 'past ')
  const hub = new SerialHub(async () => {
    // What QEMU does between the connection and the first look at the log.
    guest.write('live ')
    await appendFile(log, 'live ')
    return host
  }, log)
  const viewer = new Viewer()
  await hub.attach(viewer)
  guest.write('later')
  await vi.waitFor(() => { expect(viewer.text).toBe('past live later') })
  hub.close()
})

test('a long past is cut at a line', async () => {
  await writeFile(log, `${'x'.repeat(scrollbackBytes)}\nsecond line\nthird`)
  const { hub } = openHub()
  const viewer = new Viewer()
  await hub.attach(viewer)
  expect(viewer.text).toBe('second line\nthird')
  hub.close()
})

test('every viewer may type, and one that leaves is forgotten', async () => {
  const { hub, guest } = openHub()
  const [one, two] = [new Viewer(), new Viewer()]
  await hub.attach(one)
  await hub.attach(two)
  const typed: string[] = []
  guest.on('data', (bytes: Buffer) => typed.push(bytes.toString()))
  one.type('a')
  two.type('b')
  await vi.waitFor(() => { expect(typed.join('')).toBe('ab') })
  one.leave()
  guest.write('x')
  await vi.waitFor(() => { expect(two.text).toBe('x') })
  expect(one.text).toBe('')
  hub.close()
})

test('a viewer that does not read is dropped with a reason, and nobody else notices', async () => {
  const { hub, guest } = openHub()
  const [slow, quick] = [new Viewer(false), new Viewer()]
  await hub.attach(slow)
  await hub.attach(quick)
  const portion = 'y'.repeat(64 * 1024)
  for (let index = 0; index < 40; index += 1) guest.write(portion)
  await vi.waitFor(() => { expect(quick.text.length).toBe(40 * portion.length) })
  expect(slow.closed).toMatchObject({ code: 1013 })
  expect(quick.closed).toBeNull()
  hub.close()
})

test('a guest that does not read holds the typing back instead of filling memory', async () => {
  const { hub, guest } = openHub()
  const viewer = new Viewer()
  await hub.attach(viewer)
  viewer.type('z'.repeat(1024 * 1024))
  expect(viewer.paused).toBe(true)
  guest.resume()
  await vi.waitFor(() => { expect(viewer.paused).toBe(false) })
  hub.close()
})

test('a port that can’t be connected at first is connected later, and again when it closes', async () => {
  const pairs = [duplexPair(), duplexPair()] as const
  const ends = pairs.map(([, host]) => host)
  let tries = 0
  const hub = new SerialHub(() => {
    tries += 1
    const next = tries === 1 ? undefined : ends.shift()
    return next === undefined ? Promise.reject(new Error('Nobody listens.')) : Promise.resolve(next)
  }, log, 1)
  const viewer = new Viewer()
  await hub.attach(viewer)
  pairs[0][0].write('first ')
  await vi.waitFor(() => { expect(viewer.text).toBe('first ') })
  pairs[0][1].destroy()
  pairs[1][0].write('second')
  await vi.waitFor(() => { expect(viewer.text).toBe('first second') })
  hub.close()
})
