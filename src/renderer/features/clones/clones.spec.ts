import { MachineDefinition, type MachineView } from '@shared/model'
import { enableAutoUnmount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { useConnectionStore } from '../../stores/connection.store'
import { useJobsStore } from '../../stores/jobs.store'
import { useMachinesStore } from '../../stores/machines.store'
import { aJob, aMachine, aSnapshot, aTree, snapshotId } from '../../stores/spec-data'
import { replaceClient, type Client } from '../../transport/client'
import { enter, find, openDialog, press, type, words } from '../../ui/spec-dialog'
import CloneDialog from './CloneDialog.vue'
import TemplateDialog from './TemplateDialog.vue'

enableAutoUnmount(afterEach)

const memory = { format: 'mapped-ram', compression: 'none', qemuVersion: '10.0', accelerator: 'kvm', sizeBytes: 2 ** 30 } as const
const saved = { at: '2026-11-21T08:00:00.000Z', sizeBytes: 2 ** 29, qemuVersion: '10.0' }
const clone = vi.fn()
const makeTemplate = vi.fn()
let restore: () => void

beforeEach(() => {
  setActivePinia(createPinia())
  vi.spyOn(useConnectionStore(), 'isOpen', 'get').mockReturnValue(true)
  clone.mockReset().mockResolvedValue(aJob(1, { kind: 'machine.clone' }))
  makeTemplate.mockReset().mockResolvedValue(aJob(1, { kind: 'machine.template' }))
  restore = replaceClient({
    machine: { clone, makeTemplate }, encryption: { support: () => Promise.resolve({ keychain: { available: false, reason: 'There is none.' }, obstacle: null }) },
    snapshot: { tree: () => Promise.resolve(aTree(1, [aSnapshot(1, null, { name: 'Fresh' }), aSnapshot(2, 1, { name: 'Warm', machineState: 'running', method: 'live', memory })])) },
  } as unknown as Client)
})
afterEach(() => { restore() })

async function opened(dialog: unknown, machine: MachineView, props: Record<string, unknown> = {}): Promise<ReturnType<typeof vi.fn>> {
  useMachinesStore().put(machine)
  const onClose = vi.fn()
  await openDialog(dialog, { machine, ...props, onClose })
  return onClose
}

test('a machine is cloned in full by default, cold, with the next name', async () => {
  const onClose = await opened(CloneDialog, aMachine(1, 'stopped', { name: 'web-01' }), { snapshotId: null })
  expect(find<HTMLInputElement>('clone-name').value).toBe('web-02')
  expect(document.activeElement).toBe(find('clone-name'))
  expect(words()).toContain('The original is off')
  await press('clone-start')
  await enter()
  expect(clone).toHaveBeenCalledWith({ id: aMachine(1).id, snapshotId: null, name: 'web-02', kind: 'full', warm: false, startWhenCreated: true })
  expect(useJobsStore().running).toHaveLength(1)
  expect(onClose).toHaveBeenCalledOnce()
})

test('what a clone of a running machine stands on is told', async () => {
  await opened(CloneDialog, aMachine(1, 'running', { name: 'web' }), { snapshotId: null })
  expect(words()).toContain('a snapshot of its disks is taken first and copied')
  await press('clone-kind-linked')
  expect(words()).toContain('for the clone to stand on')
  expect(find<HTMLButtonElement>('clone-warm').disabled).toBe(true)
})

test('a clone of a warm template can go on from its memory, with the caveat', async () => {
  await opened(CloneDialog, { ...aMachine(1, 'saved', { name: 'golden', template: true }), saved }, { snapshotId: null })
  expect(words()).not.toContain('is taken first')
  await press('clone-warm')
  expect(words()).toContain('keep the two apart on a network')
  await enter()
  expect(clone).toHaveBeenCalledWith(expect.objectContaining({ name: 'golden clone', kind: 'linked', warm: true }))
})

test('a branch bears both names and asks for memory where the snapshot has some', async () => {
  await opened(CloneDialog, aMachine(1, 'running', { name: 'web' }), { snapshotId: snapshotId(2) })
  expect(find<HTMLInputElement>('clone-name').value).toBe('web Warm')
  await press('clone-warm')
  await enter()
  expect(clone).toHaveBeenCalledWith(expect.objectContaining({ snapshotId: snapshotId(2), kind: 'linked', warm: true }))
})

test('a branch of a snapshot without memory is cold', async () => {
  await opened(CloneDialog, aMachine(1, 'running', { name: 'web' }), { snapshotId: snapshotId(1) })
  expect(words()).toContain('This snapshot has no memory.')
  await enter()
  expect(clone).toHaveBeenCalledWith(expect.objectContaining({ snapshotId: snapshotId(1), warm: false }))
})

const aDisk = (encrypted: boolean): MachineDefinition['disks'][number] => MachineDefinition.shape.disks.unwrap().element.parse({ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'virtio-blk', encrypted })
const withDisk = (encrypted: boolean): MachineView => aMachine(1, 'stopped', { name: 'web', disks: [aDisk(encrypted)] })

test('a full clone of a plain machine is encrypted with a passphrase of its own, which is typed twice', async () => {
  await opened(CloneDialog, withDisk(false), { snapshotId: null })
  expect(document.querySelector('[data-testid=clone-passphrase]')).toBeNull()
  await press('clone-encryption-new')
  expect(words()).toContain('“web” stays as it is, and so do its files.')
  await enter()
  expect(clone).not.toHaveBeenCalled()
  await type('clone-passphrase', 'seven green apples')
  await type('clone-again', 'seven green pears')
  await enter()
  expect(clone).not.toHaveBeenCalled()
  await type('clone-again', 'seven green apples')
  await enter()
  expect(clone).toHaveBeenCalledWith(expect.objectContaining({ kind: 'full', encryption: { passphrase: 'seven green apples', remember: false } }))
})

test('a full clone of an encrypted machine keeps its key, gets another, or is plain; a linked one has no choice', async () => {
  await opened(CloneDialog, withDisk(true), { snapshotId: null })
  expect(words()).toContain('The passphrase of “web” opens it.')
  await press('clone-encryption-none')
  await press('clone-kind-linked')
  expect(document.querySelector('[data-testid=clone-encryption-none]')).toBeNull()
  await enter()
  expect(clone).toHaveBeenLastCalledWith(expect.not.objectContaining({ encryption: 'none' }))
  await press('clone-kind-full')
  await enter()
  expect(clone).toHaveBeenLastCalledWith(expect.objectContaining({ kind: 'full', encryption: 'none' }))
})

test.each([
  ['running', null, true, /saved to disk first/u],
  ['saved', saved, false, /go on from its saved memory/u],
  ['stopped', null, false, /Its clones boot from its disks/u],
] as const)('a template of a machine that is %s is frozen as it is', async (state, savedState, withMemory, told) => {
  await opened(TemplateDialog, { ...aMachine(1, state), saved: savedState })
  expect(words()).toMatch(told)
  await enter()
  expect(makeTemplate).toHaveBeenCalledWith({ id: aMachine(1).id, memory: withMemory })
})
