import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { MessageChannel } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { LaunchPlan } from '@core/engine/engine'
import type { WorkerMessage } from '@core/machine/worker-protocol'
import { MachineWorker } from './machine-worker'
import { FakeEngine, type FakeMachine } from './testing/fake-engine'
import { definitionOf, probeReport } from './testing/host-fixture'

let folder: string
let engine: FakeEngine
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringside-worker-'))
  engine = new FakeEngine()
})
afterEach(async () => {
  engine.killAll()
  await rm(folder, { recursive: true, force: true })
})

/** A worker and what a host sees of it. */
class Host {
  readonly messages: WorkerMessage[] = []
  readonly exits: number[] = []
  #toWorker: (message: unknown, transfer: unknown) => void = () => undefined
  #close: () => void = () => undefined
  #nextId = 1

  constructor() {
    new MachineWorker({
      send: (message) => { this.messages.push(message) }, onMessage: (listener) => { this.#toWorker = listener }, onClose: (listener) => { this.#close = listener },
    }, engine, () => this.exits.push(this.messages.length))
  }

  send(name: string, input: unknown = {}): number {
    const id = this.#nextId++
    this.#toWorker({ type: 'command', id, name, input }, undefined)
    return id
  }

  attach(port: number, viewer: unknown): void {
    this.#toWorker({ type: 'attachConsole', channel: { type: 'serial', port }, transport: { kind: 'messagePort' } }, viewer)
  }

  cancel(id: number): void {
    this.#toWorker({ type: 'cancel', id }, undefined)
  }

  die(): void {
    this.#close()
  }

  async answer(id: number): Promise<WorkerMessage> {
    return vi.waitFor(() => {
      const found = this.messages.find((message) => (message.type === 'reply' || message.type === 'failure') && message.id === id)
      if (found === undefined) throw new Error(`No answer to ${String(id)} yet.`)
      return found
    })
  }
}

async function running(): Promise<{ host: Host; machine: FakeMachine }> {
  const definition = definitionOf('one', { disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'virtio-blk', readOnly: false, cache: 'auto', discard: true, detectZeroes: 'auto', aio: 'auto', serial: null, limits: null, slot: null, encrypted: false }] })
  if (probeReport.qemu === null) throw new Error('The report has a QEMU.')
  const plan: LaunchPlan = { definition, qemu: probeReport.qemu, accelerator: 'tcg', machineFolder: folder, runtimeFolder: folder, baseFolders: [], baseFiles: [], restore: null }
  const host = new Host()
  expect(await host.answer(host.send('launch', plan))).toMatchObject({ type: 'reply' })
  const machine = engine.machines.get(definition.id)
  if (machine === undefined) throw new Error('The machine runs.')
  return { host, machine }
}

const order = { overlays: { disk0: '/new' }, ramFile: null, freezeMs: null }

test('questions about snapshots are passed on', async () => {
  const { host, machine } = await running()
  engine.snapshotMemory = { method: 'paused', reason: 'No userfaultfd.' }
  engine.freezeObstacle = 'No agent.'
  expect(await host.answer(host.send('snapshotMemory'))).toMatchObject({ output: { method: 'paused', reason: 'No userfaultfd.' } })
  expect(await host.answer(host.send('freezeObstacle'))).toMatchObject({ output: { obstacle: 'No agent.' } })
  expect(await host.answer(host.send('topLayers'))).toMatchObject({ output: { layers: { disk0: join(folder, 'disks/disk0.qcow2') } } })
  expect(await host.answer(host.send('takeSnapshot', order))).toMatchObject({ output: { method: 'none', quiesced: false } })
  expect(host.messages).toContainEqual({ type: 'progress', id: 5, fraction: 0.5 })
  expect(machine.orders).toEqual([order])
  const pull = { disk: 'disk0', layer: '/new', base: null, backingName: null }
  expect(await host.answer(host.send('pullLayer', pull))).toMatchObject({ type: 'reply', output: {} })
  expect(machine.pulls).toEqual([pull])
})

test.each(['takeSnapshot', 'pullLayer'])('%s stops when it is cancelled', async (name) => {
  const { host, machine } = await running()
  engine.snapshotGate = engine.pullGate = new Promise(() => undefined)
  const id = host.send(name, name === 'takeSnapshot' ? order : { disk: 'disk0', layer: '/new', base: null, backingName: null })
  await vi.waitFor(() => { expect(machine.calls).toContain(name) })
  host.cancel(id)
  expect(await host.answer(id)).toMatchObject({ type: 'failure', error: { code: 'CANCELLED' } })
})

test('a host that dies in the middle of a snapshot: it is undone first, and then the worker ends and the machine does not', async () => {
  const { host, machine } = await running()
  engine.snapshotGate = new Promise(() => undefined)
  const id = host.send('takeSnapshot', order)
  await vi.waitFor(() => { expect(machine.calls).toContain('takeSnapshot') })
  host.die()
  await vi.waitFor(() => { expect(host.exits).toHaveLength(1) })
  expect(await host.answer(id)).toMatchObject({ type: 'failure', error: { code: 'CANCELLED' } })
  expect(machine.calls).not.toContain('powerOff')
})

test('a power-off stops what is under way', async () => {
  const { host, machine } = await running()
  engine.pullGate = new Promise(() => undefined)
  const id = host.send('pullLayer', { disk: 'disk0', layer: '/new', base: null, backingName: null })
  await vi.waitFor(() => { expect(machine.calls).toContain('pullLayer') })
  expect(await host.answer(host.send('powerOff'))).toMatchObject({ type: 'reply' })
  expect(await host.answer(id)).toMatchObject({ type: 'failure', error: { code: 'CANCELLED' } })
  expect(machine.calls.at(-1)).toBe('powerOff')
})

test('a console that comes is there for viewers, and one that goes closes what is open', async () => {
  const { host, machine } = await running()
  const ports = machine.plan.definition.serialPorts
  const { port1, port2 } = new MessageChannel()
  const closed = once(port1, 'close')
  const received = once(port1, 'message')
  expect(await host.answer(host.send('changeHardware', { kind: 'plugConsole', consoles: 1 }))).toMatchObject({ type: 'reply' })
  await vi.waitFor(() => { expect(machine.opened).toEqual([...Array(ports).keys(), ports]) })
  host.attach(ports, port2)
  machine.serial?.write('over VirtIO')
  expect(Buffer.from((await received)[0] as Uint8Array).toString()).toBe('over VirtIO')
  expect(await host.answer(host.send('changeHardware', { kind: 'unplugConsole', consoles: 0 }))).toMatchObject({ type: 'reply' })
  await closed
  const late = new MessageChannel()
  host.attach(ports, late.port2)
  await once(late.port1, 'close')
})

test('after the end of the machine nothing can be taken of it', async () => {
  const { host, machine } = await running()
  await machine.end(true)
  for (const name of ['snapshotMemory', 'topLayers']) expect(await host.answer(host.send(name))).toMatchObject({ type: 'failure', error: { code: 'ILLEGAL_STATE' } })
  expect(await host.answer(host.send('takeSnapshot', order))).toMatchObject({ type: 'failure', error: { code: 'ILLEGAL_STATE' } })
})
