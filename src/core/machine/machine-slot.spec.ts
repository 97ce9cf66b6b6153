import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { MachineDefinition } from '@shared/model'
import { machinePaths } from '../library'
import { definitionOf, machineId } from '../snapshot/snapshot.fixture'
import { MachineSlot } from './machine-slot'

let folder: string
let slot: MachineSlot
const said: string[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringside-slot-'))
  said.length = 0
  stored = definitionOf({})
  slot = new MachineSlot(machineId, () => ({ definition: stored, paths: machinePaths(folder, folder, machineId) }), () => undefined)
})
/** What the host knows of the machine is stored as this. */
let stored: MachineDefinition

afterEach(async () => {
  await slot.log.flushed()
  await rm(folder, { recursive: true, force: true })
})

/** Goes on until it is aborted. */
async function untilAborted(name: string, signal: AbortSignal): Promise<void> {
  said.push(`${name} begins`)
  if (!signal.aborted) await new Promise((resolve) => { signal.addEventListener('abort', resolve, { once: true }) })
  // Undoing takes a moment too.
  await Promise.resolve()
  said.push(`${name} ends`)
}

const act = (name: string): Promise<void> => slot.inOrder('edit', () => {
  said.push(name)
  return Promise.resolve()
})

test('work in the background gives way to an action, which waits until it has ended', async () => {
  const background = slot.inBackground('deleteSnapshot', (signal) => untilAborted('background', signal))
  await expect.poll(() => said).toEqual(['background begins'])
  await act('edit')
  await background
  expect(said).toEqual(['background begins', 'background ends', 'edit'])
})

test('it is not begun when there is something else to do', async () => {
  const first = act('first')
  const background = slot.inBackground('deleteSnapshot', (signal) => untilAborted('background', signal))
  await act('second')
  await Promise.all([first, background])
  expect(said).toEqual(['first', 'second'])
})

test('it comes after the actions before it, one after the other, and nobody waits for it who only waits for actions', async () => {
  const background = [1, 2].map((number) => slot.inBackground('deleteSnapshot', (signal) => untilAborted(`background ${String(number)}`, signal)))
  await expect.poll(() => said).toEqual(['background 1 begins'])
  await slot.idle()
  await act('edit')
  await Promise.all(background)
  expect(said).toEqual(['background 1 begins', 'background 1 ends', 'edit'])
})

test('what is illegal is not done, and what fails keeps nothing else from being done', async () => {
  slot.set({ state: 'starting' })
  await slot.inBackground('deleteSnapshot', (signal) => untilAborted('illegal', signal))
  slot.set({ state: 'stopped' })
  await expect(slot.inBackground('deleteSnapshot', () => Promise.reject(new Error('No.')))).rejects.toThrow('No.')
  await act('edit')
  expect(said).toEqual(['edit'])
})

test('an address that a person gives a saved clone waits as any other change; the one that its guest has borrowed is no change', () => {
  const card = (macAddress: string): MachineDefinition['nics'] => [{ id: 'net0', model: 'virtio-net', macAddress, backend: { type: 'user' }, linkUp: true, slot: null }]
  const [originals, own, chosen] = ['52:54:00:00:00:01', '52:54:00:00:00:02', '52:54:00:00:00:03'] as const
  const clone = (macAddress: string): MachineDefinition => ({ ...definitionOf({}), nics: card(macAddress), origin: { kind: 'linked', machineId, machineName: 'golden', snapshotId: null } })
  const told = (): (string | undefined)[] => [slot.view().definition.nics[0]?.macAddress, slot.view().next?.nics[0]?.macAddress]
  slot.set({ state: 'saved' })
  // It has booted by itself, and has its own address.
  slot.savedGuest = { definition: clone(own), accelerator: 'tcg' }
  stored = clone(own)
  expect(told()).toEqual([own, undefined])
  stored = clone(chosen)
  expect(told()).toEqual([own, chosen])
  // It goes on from the memory of its original.
  slot.savedGuest = { definition: clone(originals), ownAddresses: { net0: own }, accelerator: 'tcg' }
  expect(told()).toEqual([own, chosen])
  stored = clone(own)
  expect(told()).toEqual([own, undefined])
})
