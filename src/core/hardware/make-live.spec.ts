import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { RingsideError } from '@shared/errors'
import { MachineDefinition, machineSchemaVersion } from '@shared/model'
import type { LiveChange } from '../engine/live-change'
import type { HardwareWork } from './context'
import { makeAllLive } from './make-live'

const nic = (id: string, last: number): object => ({ id, model: 'virtio-net', macAddress: `52:54:00:00:00:0${String(last)}`, backend: { type: 'user' } })
const definition = MachineDefinition.parse({
  schemaVersion: machineSchemaVersion, createdBy: 'ringside 0.1.0', id: '11111111-1111-4111-8111-111111111111', name: 'web', createdAt: '2026-11-01T08:00:00.000Z', osId: 'debian', machineType: 'pc-q35-7.2',
  firmware: { type: 'bios' }, processors: { sockets: 1, cores: 2, threads: 1 }, memoryMiB: 1024, boot: {}, display: { model: 'vga' }, disks: [], cdroms: [], nics: [nic('net0', 1), nic('net1', 2), nic('net2', 3)],
})
const unplug = (id: string): LiveChange => ({ kind: 'unplugNic', id })

/** A machine whose guest answers when it is told to. */
function aMachine(): { work: HardwareWork; asked: string[]; answers: Map<string, { resolve: () => void; reject: (error: Error) => void }>; notes: Set<string>; has: () => string[] } {
  const asked: string[] = []
  const answers = new Map<string, { resolve: () => void; reject: (error: Error) => void }>()
  const notes = new Set<string>()
  const held = {
    live: true, run: { definition }, log: vi.fn(), addNote: (note: string) => notes.add(note), removeNote: (note: string) => notes.delete(note),
    noteRun: (now: MachineDefinition) => {
      held.run = { definition: now }
      return Promise.resolve()
    },
    command: (_: string, change: LiveChange) => {
      const name = 'id' in change ? change.id : change.kind
      asked.push(name)
      return new Promise<void>((resolve, reject) => { answers.set(name, { resolve, reject }) })
    },
  }
  const work = { held, context: { atStep: () => Promise.resolve() } } as unknown as HardwareWork
  return { work, asked, answers, notes, has: () => held.run.definition.nics.map(({ id }) => id) }
}

beforeEach(() => { vi.useFakeTimers() })
afterEach(() => { vi.useRealTimers() })

test('the guest is asked for all that goes at once, which is told while it takes its time; the rest is made afterwards', async () => {
  const { work, asked, answers, notes, has } = aMachine()
  const link: LiveChange = { kind: 'setLink', id: 'net2', up: false }
  const made = makeAllLive(work, [unplug('net0'), link, unplug('net1')])
  await vi.advanceTimersByTimeAsync(900)
  expect([asked, [...notes]]).toEqual([['net0', 'net1'], []])
  await vi.advanceTimersByTimeAsync(200)
  expect([...notes]).toEqual(['Waiting for the guest to let go of “net0”, “net1”, for a quarter of a minute at most.'])
  answers.get('net1')?.resolve()
  await vi.advanceTimersByTimeAsync(0)
  expect(has()).toEqual(['net0', 'net2'])
  const refused = new RingsideError('GUEST_FAILED', 'It does not.')
  answers.get('net0')?.reject(refused)
  await vi.advanceTimersByTimeAsync(0)
  expect([asked, [...notes]]).toEqual([['net0', 'net1', 'net2'], []])
  answers.get('net2')?.resolve()
  expect(await made).toEqual([{ change: unplug('net0'), error: refused }])
  expect(has()).toEqual(['net0', 'net2'])
})

test('a guest that lets go at once is nothing to be told of', async () => {
  const { work, answers, notes } = aMachine()
  const made = makeAllLive(work, [unplug('net0')])
  await vi.advanceTimersByTimeAsync(100)
  answers.get('net0')?.resolve()
  expect(await made).toEqual([])
  await vi.advanceTimersByTimeAsync(5000)
  expect([...notes]).toEqual([])
})
