import { legalStates, MachineState, type MachineView } from '@shared/model'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { shallowRef } from 'vue'
import { aJob, aMachine } from '../stores/spec-data'
import { useConnectionStore } from '../stores/connection.store'
import { useJobsStore } from '../stores/jobs.store'
import { useMachinesStore } from '../stores/machines.store'
import { useWindowStore } from '../stores/window.store'
import { replaceClient, type Client } from '../transport/client'
import { confirm } from '../ui/confirm'
import { useMachineActions, type MachineActions } from './machine-actions'

vi.mock('../ui/confirm', () => ({ confirm: vi.fn(() => Promise.resolve({ confirmed: true, checked: false })) }))

let putBack = (): void => undefined
const machine = shallowRef<MachineView | undefined>()
const calls: string[] = []

/** Answers each call of the contract with what the machine then is. */
function fakeClient(): Client {
  const to = (name: string, state: MachineView['state']) => (): Promise<MachineView> => {
    calls.push(name)
    return Promise.resolve({ ...aMachine(1), state })
  }
  return {
    machine: {
      start: (input: { disposable?: boolean }) => to(input.disposable === true ? 'start disposable' : 'start', 'starting')(), unmakeTemplate: to('unmakeTemplate', 'stopped'),
      detach: () => { calls.push('detach'); return Promise.resolve(aJob(2, { kind: 'disk.convert' })) },
      pause: to('pause', 'paused'), resume: to('resume', 'running'), shutDown: to('shutDown', 'stopping'), reset: to('reset', 'running'),
      powerOff: to('powerOff', 'stopped'), discardSaved: to('discardSaved', 'stopped'),
      save: () => { calls.push('save'); return Promise.resolve(aJob(1, { kind: 'machine.save' })) },
      rename: ({ name }: { name: string }) => Promise.resolve({ ...aMachine(1), definition: { ...aMachine(1).definition, name } }),
      deletePlan: () => Promise.resolve({ folder: '/library/1', bytes: 5, deletes: [{ path: '/library/1/disks/a.qcow2', bytes: 5 }], keeps: ['/isos/a.iso'], toTrash: false }),
      delete: (input: { permanently: boolean }) => { calls.push(`delete ${String(input.permanently)}`); return Promise.resolve({ trashed: false }) },
    },
  } as unknown as Client
}

let actions: MachineActions
beforeEach(() => {
  setActivePinia(createPinia())
  vi.spyOn(useConnectionStore(), 'isOpen', 'get').mockReturnValue(true)
  putBack = replaceClient(fakeClient())
  calls.length = 0
  vi.mocked(confirm).mockClear()
  machine.value = aMachine(1, 'running')
  useMachinesStore().put(machine.value)
  actions = useMachineActions(machine)
})
afterEach(() => { putBack() })

test('every action can be done in the states of the shared table, and in no other', () => {
  for (const name of ['start', 'pause', 'resume', 'shutDown', 'reset', 'powerOff', 'save', 'discardSaved', 'screenshot', 'rename', 'delete', 'takeSnapshot', 'clone', 'makeTemplate', 'convertDisks'] as const) {
    for (const state of MachineState.options) {
      machine.value = aMachine(1, state)
      const why = actions[name].whyNot.value
      expect([name, state, why === null]).toEqual([name, state, legalStates[name].includes(state)])
    }
  }
})

test('the answer of a call is taken in at once', async () => {
  machine.value = aMachine(1, 'stopped')
  expect(await actions.start.run()).toBe(true)
  expect(useMachinesStore().get(machine.value.id)?.state).toBe('starting')
})

test('pulling the plug is asked for, the sample’s is not, and asked once is enough', async () => {
  expect(await actions.powerOff.run()).toBe(true)
  expect(confirm).toHaveBeenCalledTimes(1)
  await actions.powerOff.run(true)
  machine.value = aMachine(1, 'running', { osId: 'ringside-sample' })
  await actions.powerOff.run()
  expect(confirm).toHaveBeenCalledTimes(1)
  expect(calls).toEqual(['powerOff', 'powerOff', 'powerOff'])
})

test('who thinks better of it loses nothing', async () => {
  vi.mocked(confirm).mockResolvedValueOnce({ confirmed: false, checked: false })
  expect(await actions.reset.run()).toBe(false)
  expect(calls).toEqual([])
})

test('deleting names the disks that go and those that stay, and says when it is for good', async () => {
  machine.value = aMachine(1, 'stopped')
  expect(await actions.delete.run()).toBe(true)
  const [question] = vi.mocked(confirm).mock.calls[0] ?? []
  expect(question).toMatchObject({ destroys: [{ text: 'disks/a.qcow2' }], keeps: [{ text: '/isos/a.iso' }], confirmLabel: 'Delete for good', dangerous: true })
  expect(calls).toEqual(['delete true'])
  expect(useMachinesStore().get(aMachine(1).id)).toBeUndefined()
})

test('saving is a job', async () => {
  expect(await actions.save.run()).toBe(true)
  expect(useJobsStore().running).toHaveLength(1)
})

test('a task at work, a template and a disposable run refuse what they can’t do, in words', () => {
  machine.value = { ...aMachine(1, 'stopped'), task: 'revert' }
  expect(actions.start.whyNot.value).toContain('it is being reverted')
  machine.value = aMachine(1, 'stopped', { template: true })
  expect(actions.start.whyNot.value).toContain('template')
  expect(actions.takeSnapshot.whyNot.value).toContain('template')
  expect(actions.automaticSnapshots.whyNot.value).toContain('template')
  expect([actions.clone.whyNot.value, actions.unmakeTemplate.whyNot.value]).toEqual([null, null])
  const run = { startedAt: '', accelerator: 'tcg' as const, acceleratorNote: null, qemuPid: 1, workerPid: 1, qemuVersion: '7.2', notes: [], disposable: true }
  machine.value = { ...aMachine(1, 'running'), run }
  expect(actions.takeSnapshot.whyNot.value).toContain('disposable')
  expect([actions.shutDown.whyNot.value, actions.powerOff.whyNot.value]).toEqual([null, null])
})

test('only a linked clone can be made independent', async () => {
  machine.value = aMachine(1, 'stopped')
  expect(actions.detach.whyNot.value).toContain('no other')
  machine.value = aMachine(1, 'stopped', { origin: { kind: 'linked', machineId: aMachine(2).id, machineName: 'golden', snapshotId: null } })
  expect(await actions.detach.run()).toBe(true)
  expect(vi.mocked(confirm).mock.calls[0]?.[0].message).toContain('“golden”')
  expect(calls).toEqual(['detach'])
})

test('what asks in a dialog of its own opens it for this machine', async () => {
  for (const [action, type] of [['takeSnapshot', 'takeSnapshot'], ['automaticSnapshots', 'automaticSnapshots'], ['clone', 'clone'], ['makeTemplate', 'makeTemplate'], ['cleanUp', 'cleanUp']] as const) {
    expect(await actions[action].run()).toBe(true)
    expect(useWindowStore().dialog).toMatchObject({ type, machineId: aMachine(1).id })
  }
})

test('a disposable start is one, and its end says what is thrown away', async () => {
  machine.value = aMachine(1, 'stopped')
  await actions.startDisposable.run()
  expect(calls).toEqual(['start disposable'])
  machine.value = { ...aMachine(1, 'running'), run: { startedAt: '', accelerator: 'tcg', acceleratorNote: null, qemuPid: 1, workerPid: 1, qemuVersion: '7.2', notes: [], disposable: true } }
  await actions.powerOff.run()
  expect(vi.mocked(confirm).mock.calls.at(-1)?.[0].message).toContain('thrown away')
})
