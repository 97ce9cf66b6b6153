import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { MachineManager } from '@core/app/services'
import { createNodeWorkerLauncher } from '@core/machine/node-launcher'
import { HostFixture } from '../../src/worker/testing/host-fixture'
import { buildEntries } from '../vm/support/build-entries'
import { serveConsoles } from '../vm/support/console-server'
import type { ViewersTask } from './console-viewers'

const consoles = 200
/**
 * How long the host is busy with something else after it has sent a console's socket, milliseconds. By then the viewer has spoken, and the worker, which is busy
 * for longer, has not read it: whoever reads first has it.
 */
const busyMs = 4

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringside-handover-'))
  await buildEntries(folder, { worker: 'test/contract/echo-worker.ts', viewers: 'test/contract/console-viewers.ts' })
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

test('what a viewer says while its socket is on its way to the worker gets there, however busy the host is', async () => {
  await using host = await HostFixture.make({ launcher: createNodeWorkerLauncher(join(folder, 'worker.js')) })
  const id = await host.addMachine('screen')
  await host.supervisor.start(id)
  const attachConsole: MachineManager['attachConsole'] = (...args) => {
    host.supervisor.attachConsole(...args)
    busy()
  }
  const { port, close } = await serveConsoles({ attachConsole })
  const task: ViewersTask = { url: `ws://127.0.0.1:${String(port)}/${id}/graphics`, consoles }
  const viewers = new Worker(join(folder, 'viewers.js'), { workerData: task })
  let answered = 0
  viewers.on('message', (number: number) => { answered = number })
  try {
    await vi.waitFor(() => { expect(answered).toBe(consoles) })
  } finally {
    await viewers.terminate()
    close()
    await host.supervisor.powerOff(id)
  }
})

/** Keeps this thread from its event loop. */
function busy(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, busyMs)
}
