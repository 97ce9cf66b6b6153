import { RingsideError } from '@shared/errors'
import type { MachineState, MachineView, SnapshotDeletePlan, SnapshotPlan, SnapshotTree } from '@shared/model'
import { enableAutoUnmount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { shallowRef } from 'vue'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'
import { useConnectionStore } from '../../../stores/connection.store'
import { useJobsStore } from '../../../stores/jobs.store'
import { aJob, aMachine, aSnapshot, aTree, snapshotId } from '../../../stores/spec-data'
import { replaceClient, type Client } from '../../../transport/client'
import { pendingConfirm } from '../../../ui/confirm'
import { enter, find, openDialog, press, settle, type, words } from '../../../ui/spec-dialog'
import AutomaticDialog from './AutomaticDialog.vue'
import CleanUpDialog from './CleanUpDialog.vue'
import DeleteDialog from './DeleteDialog.vue'
import RevertDialog from './RevertDialog.vue'
import TakeDialog from './TakeDialog.vue'

enableAutoUnmount(afterEach)

const memory = { format: 'stream', compression: 'none', qemuVersion: '7.2.22', accelerator: 'tcg', sizeBytes: 2 ** 30 } as const
const machine = shallowRef<MachineView>(aMachine(1))
const id = aMachine(1).id
let tree: SnapshotTree
let plan: SnapshotPlan
let deletePlan: SnapshotDeletePlan
const calls = { take: vi.fn(), revert: vi.fn(), delete: vi.fn(), setPolicy: vi.fn(), cleanUp: vi.fn(), convertDisks: vi.fn() }
let router: Router
let restore: () => void

beforeEach(() => {
  setActivePinia(createPinia())
  vi.spyOn(useConnectionStore(), 'isOpen', 'get').mockReturnValue(true)
  machine.value = aMachine(1, 'running', { name: 'web', memoryMiB: 2048 })
  tree = aTree(1, [aSnapshot(1, null, { name: 'Installed' }), aSnapshot(2, 1, { name: 'Configured', machineState: 'running', method: 'live', memory }), aSnapshot(3, 2, { name: 'Broken' })], { current: { parentId: snapshotId(3), sizeBytes: 87 * 2 ** 20 } })
  plan = { memory: { method: 'live', reason: null }, freeze: { available: true, reason: null }, obstacles: [], estimatedBytes: 2 ** 31, issues: [] }
  deletePlan = { snapshots: [{ id: snapshotId(2), name: 'Configured' }], freesBytes: 2 ** 30, laterBytes: 0, notes: [], issues: [] }
  for (const call of Object.values(calls)) call.mockReset().mockImplementation(() => Promise.resolve(aJob(1)))
  calls.setPolicy.mockImplementation(() => Promise.resolve(machine.value))
  restore = replaceClient({
    snapshot: {
      tree: () => Promise.resolve(tree), plan: () => Promise.resolve(plan), compare: () => Promise.resolve([{ path: 'memoryMiB', label: 'Memory', then: '1 GiB', now: '2 GiB' }]), screen: () => Promise.resolve(null),
      deletePlan: ({ children }: { children: boolean }) => Promise.resolve(children ? { ...deletePlan, snapshots: [...deletePlan.snapshots, { id: snapshotId(3), name: 'Broken' }] } : deletePlan), ...calls,
    },
  } as unknown as Client)
  router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/:any(.*)*', component: { render: () => null } }] })
})
afterEach(() => { restore() })

async function opened(dialog: unknown, props: Record<string, unknown> = {}): Promise<ReturnType<typeof vi.fn>> {
  const onClose = vi.fn()
  await openDialog(dialog, { machine: machine.value, ...props, onClose }, null, router)
  return onClose
}
const go = (): HTMLButtonElement => document.querySelector('[data-dialog-go]') as HTMLButtonElement
function to(state: MachineState): void {
  machine.value = aMachine(1, state, { name: 'web', memoryMiB: 2048 })
}

test('taking one: a name is suggested, selected, and what will happen is told', async () => {
  const onClose = await opened(TakeDialog)
  expect(find<HTMLInputElement>('snapshot-name').value).toBe('Snapshot 4')
  expect(document.activeElement).toBe(find('snapshot-name'))
  expect(words()).toMatch(/The guest goes on while its memory is written/u)
  expect(words()).toContain('Takes 2 GiB at most; 1 TiB are free')
  await press('snapshot-quiesce')
  await type('snapshot-description', ' why ')
  await enter()
  expect(calls.take).toHaveBeenCalledWith({ id, name: 'Snapshot 4', description: 'why', memory: true, quiesce: true })
  expect(useJobsStore().running).toHaveLength(1)
  expect(onClose).toHaveBeenCalledOnce()
})

test('what can’t be had is off and says why; without it the snapshot can be taken', async () => {
  plan = { ...plan, memory: { method: 'none', reason: 'The clipboard channel is in use.' }, freeze: { available: false, reason: 'No agent answers.' } }
  await opened(TakeDialog)
  expect(words()).toContain('The clipboard channel is in use.')
  expect(words()).toContain('No agent answers.')
  expect(find<HTMLButtonElement>('snapshot-memory').disabled).toBe(true)
  await enter()
  expect(calls.take).toHaveBeenCalledWith(expect.objectContaining({ memory: false, quiesce: false }))
})

test.each([
  ['stopped', 'there is no memory to keep'],
  ['saved', 'The memory that was saved to disk is part of it'],
  ['paused', 'The guest is paused and stays so while its 2 GiB are written'],
] as const)('of a machine that is %s the memory is told of as it is', async (state, told) => {
  to(state)
  plan = { ...plan, memory: { method: state === 'stopped' ? 'none' : 'paused', reason: null } }
  await opened(TakeDialog)
  expect(words()).toContain(told)
})

test('a guest that has to stand still is told of with its reason', async () => {
  plan = { ...plan, memory: { method: 'paused', reason: 'This QEMU can’t do it live.' } }
  await opened(TakeDialog)
  expect(words()).toMatch(/stands still while its 2 GiB of memory are written\. This QEMU can’t do it live\./u)
})

test('a name that is taken keeps it from being taken, and has the focus', async () => {
  await opened(TakeDialog)
  await type('snapshot-name', 'installed')
  expect(words()).toContain('A snapshot named “installed” exists already')
  expect(go().getAttribute('aria-disabled')).toBe('true')
  await enter()
  expect(calls.take).not.toHaveBeenCalled()
  expect(document.activeElement).toBe(find('snapshot-name'))
})

test('a disk that can be in no snapshot is named, and converted at one click', async () => {
  to('stopped')
  plan = { ...plan, memory: { method: 'none', reason: null }, obstacles: [{ diskId: 'disk0', reason: '/srv/a.img is a raw image.', convertible: true, bytes: 5 }] }
  await opened(TakeDialog)
  expect(words()).toContain('/srv/a.img is a raw image.')
  expect(go().getAttribute('aria-disabled')).toBe('true')
  const convert = [...document.querySelectorAll('button')].find((button) => button.textContent.includes('Convert'))
  convert?.click()
  await settle()
  pendingConfirm.value?.answer({ confirmed: true, checked: false })
  await settle()
  expect(calls.convertDisks).toHaveBeenCalledWith({ id })
})

test('a refusal of the host is shown in place, and what was typed stays', async () => {
  calls.take.mockRejectedValue(new RingsideError('DISK_FULL', 'The drive is full.', { hint: 'Make room.' }))
  const onClose = await opened(TakeDialog)
  await type('snapshot-name', 'Mine')
  await enter()
  expect(words()).toMatch(/No snapshot was taken.*The drive is full\..*Make room\./su)
  expect(find<HTMLInputElement>('snapshot-name').value).toBe('Mine')
  expect(onClose).not.toHaveBeenCalled()
})

test('going back keeps the present unless told otherwise, and goes on with memory', async () => {
  const onClose = await opened(RevertDialog, { snapshotId: snapshotId(2) })
  expect(document.activeElement).toBe(go())
  expect(words()).toMatch(/Memory1 GiB2 GiB/u)
  expect(words()).toContain('it is powered off for this')
  await enter()
  expect(calls.revert).toHaveBeenCalledWith({ id, snapshotId: snapshotId(2), memory: true, keepPresent: 'Before reverting to Configured', start: true })
  expect(onClose).toHaveBeenCalledOnce()
})

test('without keeping the present, what is lost is said and the button with it', async () => {
  await opened(RevertDialog, { snapshotId: snapshotId(2) })
  await press('revert-keep')
  expect(words()).toContain('What was written since “Broken” is lost for good: 87 MiB on its disks, and what is in its memory.')
  expect(go().textContent).toContain('Revert and lose the present')
  find<HTMLInputElement>('revert-how-disks').click()
  await settle()
  await press('revert-start')
  await enter()
  expect(calls.revert).toHaveBeenCalledWith({ id, snapshotId: snapshotId(2), memory: false, keepPresent: null, start: false })
})

test('a snapshot without memory boots afresh; a machine that is off stays off', async () => {
  to('stopped')
  await opened(RevertDialog, { snapshotId: snapshotId(1) })
  expect(words()).toContain('the guest boots afresh')
  expect(document.querySelector('[data-testid="revert-how-memory"]')).toBeNull()
  await enter()
  expect(calls.revert).toHaveBeenCalledWith(expect.objectContaining({ memory: false, start: false }))
})

test('a dialog about a snapshot that is gone closes', async () => {
  const onClose = await opened(DeleteDialog, { snapshotId: snapshotId(9) })
  expect(onClose).toHaveBeenCalledOnce()
})

test('deleting starts on the harmless answer, names what goes and what room that gives', async () => {
  deletePlan = { ...deletePlan, laterBytes: 2 ** 20, notes: ['Two branches share its disks.'] }
  await opened(DeleteDialog, { snapshotId: snapshotId(2) })
  expect(document.activeElement?.textContent).toContain('Cancel')
  expect(words()).toMatch(/GoesConfigured.*Given back at once1 GiB.*Later1 MiB.*Two branches share its disks\./su)
  find<HTMLInputElement>('delete-what-all').click()
  await settle()
  expect(words()).toMatch(/GoesConfiguredBroken/u)
  expect(go().textContent).toContain('Delete 2 snapshots')
  await enter()
  expect(calls.delete).toHaveBeenCalledWith({ id, snapshotId: snapshotId(2), children: true })
})

test('clones that stand on it stop a deletion, and are led to', async () => {
  tree = { ...tree, snapshots: tree.snapshots.map((each) => (each.id === snapshotId(2) ? { ...each, clones: [{ id: aMachine(7).id, name: 'staging' }] } : each)) }
  deletePlan = { ...deletePlan, issues: [{ path: 'snapshotId', message: 'A linked clone reads from it: “staging”.', severity: 'error' }] }
  const onClose = await opened(DeleteDialog, { snapshotId: snapshotId(2) })
  expect(words()).toContain('A linked clone reads from it: “staging”.')
  await enter()
  expect(calls.delete).not.toHaveBeenCalled()
  ;[...document.querySelectorAll('button')].find((button) => button.textContent.trim() === 'staging')?.click()
  await settle()
  expect(onClose).toHaveBeenCalledOnce()
  expect(router.currentRoute.value.path).toBe(`/machines/${aMachine(7).id}/overview`)
})

test('snapshots by themselves: the schedule asks for what it can keep, and no more', async () => {
  await opened(AutomaticDialog)
  await press('policy-on')
  expect(document.querySelector('[data-testid="policy-hourly"]')).toBeNull()
  expect(words()).toContain('At most 11 snapshots')
  find<HTMLInputElement>('policy-every-hour').click()
  await settle()
  await type('policy-hourly', '12')
  await enter()
  expect(calls.setPolicy).toHaveBeenCalledWith({ id, policy: { every: 'hour', keep: { hourly: 12, daily: 7, weekly: 4 }, memory: false } })
})

test('a plan that keeps nothing, or no number, is refused in words', async () => {
  machine.value = aMachine(1, 'running', { snapshotPolicy: { every: 'week', keep: { hourly: 0, daily: 0, weekly: 4 }, memory: true } })
  await opened(AutomaticDialog)
  await type('policy-weekly', '0')
  expect(words()).toContain('Keep at least one.')
  await enter()
  await type('policy-weekly', '')
  expect(words()).toContain('The number of weeks is a whole one from 0 to 520.')
  await enter()
  expect(calls.setPolicy).not.toHaveBeenCalled()
  await press('policy-on')
  await enter()
  expect(calls.setPolicy).toHaveBeenCalledWith({ id, policy: null })
})

test('cleaning up removes what is left ticked, to the trash unless told otherwise', async () => {
  tree = { ...tree, orphans: [{ path: 'disks/a.qcow2', bytes: 2048, about: 'A layer.' }, { path: 'snapshots/notes.txt', bytes: 12, about: 'Not ours.' }] }
  await opened(CleanUpDialog)
  document.querySelector<HTMLButtonElement>('button[role=checkbox][aria-label="snapshots/notes.txt"]')?.click()
  await settle()
  expect(words()).toContain('2 KiB in all')
  await enter()
  expect(calls.cleanUp).toHaveBeenCalledWith({ id, paths: ['disks/a.qcow2'], permanently: false })
})
