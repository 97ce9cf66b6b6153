import { Duplex } from 'node:stream'
import { expect, test, vi } from 'vitest'
import { QmpClient } from './qmp-client'
import { QmpClosedError, QmpCommandError, QmpTimeoutError } from './qmp-error'
import type { QmpEvent } from './qmp-types'

const greeting = '{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"}, "capabilities": ["oob"]}}\r\n'

interface Command { execute: string; id: string; arguments?: Record<string, unknown> }

/** The other end of a monitor, byte by byte. */
class FakeMonitor {
  readonly commands: Command[] = []
  readonly stream: Duplex
  onCommand: (command: Command) => void = () => undefined

  constructor() {
    this.stream = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        for (const line of chunk.toString('utf8').split('\r\n').filter((text) => text !== '')) {
          const command = JSON.parse(line) as Command
          this.commands.push(command)
          if (command.execute === 'qmp_capabilities') this.reply(command, {})
          else this.onCommand(command)
        }
        done()
      },
    })
  }

  send(bytes: string | Uint8Array): void {
    this.stream.push(bytes)
  }

  reply(command: Command, value: unknown): void {
    this.send(`${JSON.stringify({ return: value, id: command.id })}\r\n`)
  }

  end(): void {
    this.stream.push(null)
  }
}

async function connected(options = {}): Promise<{ monitor: FakeMonitor; qmp: QmpClient }> {
  const monitor = new FakeMonitor()
  const connecting = QmpClient.connect(monitor.stream, options)
  monitor.send(greeting)
  return { monitor, qmp: await connecting }
}

test('greeting and negotiation', async () => {
  const { monitor, qmp } = await connected()
  expect(qmp.greeting.version.qemu).toEqual({ major: 7, minor: 2, micro: 22 })
  expect(qmp.greeting.capabilities).toEqual(['oob'])
  expect(monitor.commands.map((command) => command.execute)).toEqual(['qmp_capabilities'])
})

test('a greeting that never comes is a time-out, and the stream is let go', async () => {
  const monitor = new FakeMonitor()
  await expect(QmpClient.connect(monitor.stream, { timeoutMs: 20 })).rejects.toBeInstanceOf(QmpTimeoutError)
  expect(monitor.stream.destroyed).toBe(true)
})

test('frames cut anywhere, several in one piece, and a character cut in the middle', async () => {
  const { monitor, qmp } = await connected()
  const name = 'Maschine „Ü“ 🖥'
  monitor.onCommand = (command) => {
    const bytes = Buffer.from(`{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}\r\n${JSON.stringify({ return: { name }, id: command.id })}\n`)
    for (const byte of bytes) monitor.send(Buffer.from([byte]))
  }
  const stopped = qmp.nextEvent('STOP')
  expect(await qmp.execute('query-name')).toEqual({ name })
  expect(await stopped).toEqual({})
})

test('replies find their commands by id, in whatever order they come', async () => {
  const { monitor, qmp } = await connected()
  const seen: Command[] = []
  monitor.onCommand = (command) => {
    seen.push(command)
    if (seen.length === 3) for (const waiting of [...seen].reverse()) monitor.reply(waiting, { status: waiting.execute })
  }
  const answers = await Promise.all([qmp.execute('query-status'), qmp.execute('query-uuid'), qmp.execute('query-name')])
  expect(answers).toEqual([{ status: 'query-status' }, { status: 'query-uuid' }, { status: 'query-name' }])
})

test('arguments are sent, and left out where there are none', async () => {
  const { monitor, qmp } = await connected()
  monitor.onCommand = (command) => { monitor.reply(command, {}) }
  await qmp.execute('device_del', { id: 'disk0' })
  await qmp.execute('cont')
  expect(monitor.commands[1]).toMatchObject({ execute: 'device_del', arguments: { id: 'disk0' } })
  expect(monitor.commands[2]).not.toHaveProperty('arguments')
})

test('a refusal is typed: command, class and words', async () => {
  const { monitor, qmp } = await connected()
  monitor.onCommand = (command) => { monitor.send(`${JSON.stringify({ id: command.id, error: { class: 'DeviceNotFound', desc: 'Device \'x\' not found' } })}\r\n`) }
  const error = await qmp.execute('device_del', { id: 'x' }).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(QmpCommandError)
  expect(error).toMatchObject({ code: 'QEMU_FAILED', command: 'device_del', qmpClass: 'DeviceNotFound', description: 'Device \'x\' not found' })
  expect((error as Error).message).toBe('QEMU refused “device_del”: Device \'x\' not found.')
})

test('an unknown command is a missing capability', async () => {
  const { monitor, qmp } = await connected()
  monitor.onCommand = (command) => { monitor.send(`${JSON.stringify({ id: command.id, error: { class: 'CommandNotFound', desc: 'The command query-name has not been found' } })}\r\n`) }
  await expect(qmp.execute('query-name')).rejects.toMatchObject({ code: 'CAPABILITY_MISSING' })
})

test('a late reply is dropped and disturbs nothing', async () => {
  const { monitor, qmp } = await connected({ timeoutMs: 20 })
  await expect(qmp.execute('query-status')).rejects.toBeInstanceOf(QmpTimeoutError)
  const late = monitor.commands.at(-1)
  monitor.onCommand = (command) => {
    if (late !== undefined) monitor.reply(late, { status: 'late' })
    monitor.reply(command, { name: 'x' })
  }
  expect(await qmp.execute('query-name')).toEqual({ name: 'x' })
  expect(qmp.isClosed).toBe(false)
})

test.each([
  ['no JSON', 'hello\r\n'],
  ['JSON that is no message', '{"unexpected": true}\r\n'],
  ['a reply without an id', '{"return": {}}\r\n'],
  ['an error without an id', '{"error": {"class": "GenericError", "desc": "JSON parse error"}}\r\n'],
  ['invalid bytes', new Uint8Array([0xff, 0xfe, 0x00, 0x0a])],
])('garbage closes the connection with a typed error: %s', async (_name, bytes) => {
  const { monitor, qmp } = await connected()
  const answer = qmp.execute('query-status')
  monitor.send(bytes)
  await expect(answer).rejects.toMatchObject({ code: 'PROTOCOL' })
  expect(await qmp.closed).toMatchObject({ code: 'PROTOCOL' })
})

test('garbage instead of a greeting', async () => {
  const monitor = new FakeMonitor()
  const connecting = QmpClient.connect(monitor.stream)
  monitor.send('HTTP/1.1 400 Bad Request\r\n\r\n')
  await expect(connecting).rejects.toMatchObject({ code: 'PROTOCOL' })
})

test('a close in flight fails what waits, and what comes later', async () => {
  const { monitor, qmp } = await connected()
  const answer = qmp.execute('query-status')
  const event = qmp.nextEvent('STOP')
  monitor.end()
  await expect(answer).rejects.toBeInstanceOf(QmpClosedError)
  await expect(event).rejects.toBeInstanceOf(QmpClosedError)
  await expect(qmp.execute('cont')).rejects.toBeInstanceOf(QmpClosedError)
  expect(await qmp.closed).toBeNull()
})

test('a stream that breaks is told by what broke it', async () => {
  const { monitor, qmp } = await connected()
  const answer = qmp.execute('query-status')
  monitor.stream.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
  await expect(answer).rejects.toBeInstanceOf(QmpClosedError)
  expect(await qmp.closed).toMatchObject({ code: 'ECONNRESET' })
})

test('quit takes the close for an answer', async () => {
  const { monitor, qmp } = await connected()
  monitor.onCommand = () => { monitor.end() }
  await expect(qmp.quit()).resolves.toBeUndefined()
})

test('quit that QEMU refuses is an error all the same', async () => {
  const { monitor, qmp } = await connected()
  monitor.onCommand = (command) => { monitor.send(`${JSON.stringify({ id: command.id, error: { class: 'GenericError', desc: 'no' } })}\r\n`) }
  await expect(qmp.quit()).rejects.toBeInstanceOf(QmpCommandError)
})

test('closing fails what waits and destroys the stream', async () => {
  const { monitor, qmp } = await connected()
  const answer = qmp.execute('query-status')
  qmp.close()
  qmp.close()
  await expect(answer).rejects.toBeInstanceOf(QmpClosedError)
  expect(monitor.stream.destroyed).toBe(true)
})

test('events go to every listener, until it has enough', async () => {
  const { monitor, qmp } = await connected()
  const first: QmpEvent[] = []
  const second: QmpEvent[] = []
  const off = qmp.onEvent((event) => first.push(event))
  qmp.onEvent((event) => second.push(event))
  const send = (name: string): void => { monitor.send(`{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "${name}", "data": {"guest": true, "reason": "guest-shutdown"}}\r\n`) }
  send('SHUTDOWN')
  await vi.waitFor(() => { expect(second).toHaveLength(1) })
  off()
  send('RESET')
  await vi.waitFor(() => { expect(second).toHaveLength(2) })
  expect(first.map((event) => event.event)).toEqual(['SHUTDOWN'])
  expect(first[0]?.data).toEqual({ guest: true, reason: 'guest-shutdown' })
})

test('an awaited event is chosen by its data', async () => {
  const { monitor, qmp } = await connected()
  const deleted = qmp.nextEvent('DEVICE_DELETED', ({ device }) => device === 'b')
  for (const device of ['a', 'b']) monitor.send(`{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "DEVICE_DELETED", "data": {"device": "${device}", "path": "/"}}\r\n`)
  expect(await deleted).toMatchObject({ device: 'b' })
})

test('an event that does not come is a time-out', async () => {
  const { qmp } = await connected()
  await expect(qmp.nextEvent('RESUME', undefined, 10)).rejects.toBeInstanceOf(QmpTimeoutError)
})
