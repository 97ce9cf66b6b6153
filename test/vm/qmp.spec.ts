import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectEndpoint, type Endpoint } from '@core/engine/qemu/endpoint'
import { connectQmp, QmpClosedError, QmpCommandError, QmpTimeoutError, type QmpClient } from '@core/engine/qemu/qmp'
import { qemuProgram } from './support/bare-qemu'

let folder: string
let child: ChildProcess
let endpoint: Endpoint

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rs-qmp-'))
  endpoint = { kind: 'unix', path: join(folder, 'qmp') }
  child = spawn(await qemuProgram(), ['-machine', 'none', '-nodefaults', '-S', '-display', 'none', '-chardev', `socket,id=q,path=${endpoint.path},server=on,wait=off`, '-mon', 'chardev=q,mode=control'], { stdio: 'ignore' })
})

afterEach(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await rm(folder, { recursive: true, force: true })
})

const connect = (timeoutMs = 10_000): Promise<QmpClient> => connectQmp(() => connectEndpoint(endpoint), { patienceMs: 20_000, timeoutMs })

test('the real program greets, answers pipelined commands and refuses bad ones', async () => {
  const qmp = await connect()
  const [version, status, schema] = await Promise.all([qmp.execute('query-version'), qmp.execute('query-status'), qmp.execute('query-qmp-schema')])
  expect(qmp.greeting.version).toEqual(version)
  expect(status).toMatchObject({ status: 'prelaunch', running: false })
  expect(schema.length).toBeGreaterThan(500)
  await expect(qmp.execute('device_del', { id: 'none' })).rejects.toMatchObject({ qmpClass: 'DeviceNotFound' })
  await expect(qmp.execute('device_del', {} as { id: string })).rejects.toBeInstanceOf(QmpCommandError)
  qmp.close()
})

test('a second client waits in silence until the first has let go; then it is greeted', async () => {
  const first = await connect()
  await expect(connect(200)).rejects.toBeInstanceOf(QmpTimeoutError)
  first.close()
  const second = await connect()
  expect(await second.execute('query-status')).toMatchObject({ running: false })
  second.close()
})

test('quit ends the program, and the close is no error', async () => {
  const qmp = await connect()
  const exited = once(child, 'exit')
  await qmp.quit()
  expect(await exited).toEqual([0, null])
  await qmp.closed
  await expect(qmp.execute('query-status')).rejects.toBeInstanceOf(QmpClosedError)
})

test('a program that is killed fails what waits', async () => {
  const qmp = await connect()
  const event = qmp.nextEvent('STOP')
  child.kill('SIGKILL')
  await expect(event).rejects.toBeInstanceOf(QmpClosedError)
})

test('nothing to connect to is said at once when the wait is over', async () => {
  await expect(connectQmp(() => connectEndpoint({ kind: 'unix', path: join(folder, 'nothing') }), { patienceMs: 30 })).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a wait that is ended tells why', async () => {
  const signal = AbortSignal.abort(new QmpClosedError('greeting'))
  await expect(connectQmp(() => connectEndpoint(endpoint), { patienceMs: 1_000, signal })).rejects.toBeInstanceOf(QmpClosedError)
})
