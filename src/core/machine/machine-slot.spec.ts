import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { machinePaths } from '../library'
import { definitionOf, machineId } from '../snapshot/snapshot.fixture'
import { MachineSlot } from './machine-slot'

let folder: string
let slot: MachineSlot
const said: string[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringside-slot-'))
  said.length = 0
  slot = new MachineSlot(machineId, () => ({ definition: definitionOf({}), paths: machinePaths(folder, folder, machineId) }), () => undefined)
})
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
