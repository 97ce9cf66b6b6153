import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { OldFile } from '@shared/model'
import { codeOf, passphrase, plainParts } from './support/encrypted-machines'
import { assembleLedgerDisk } from './support/ledger-guest'
import { bareHardware, diskMachine, workInLedger } from './support/ledger-machines'
import { OpenLibrary } from './support/open-library'
import { addMachines, HostProcess, type NewMachine } from './support/real-host'
import { StepHooks, type Step } from './support/step-hooks'
import { useLibrary } from './support/test-library'

/* A disk that is there already is encrypted, and decrypted: the guest goes on with all that it wrote, wherever it is cut off, and one file is the disk. */

const at = useLibrary()

const plainMachine = (name: string): NewMachine => diskMachine(name, [assembleLedgerDisk()], bareHardware)

async function rewrite({ calls: { machines, images } }: Pick<OpenLibrary, 'calls'>, id: string, kind: 'encrypt' | 'decrypt', original: OldFile): Promise<void> {
  const { definition, folder } = await machines.get(id)
  await images.work({ kind, path: join(folder, definition.disks[0]?.image.path ?? ''), original })
}

test('the disk of a machine is encrypted and decrypted, and its guest finds all that it wrote', async () => {
  const [id = ''] = await addMachines(at.library, [plainMachine('plain')])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, encryption, snapshots } = open.calls
  const { folder } = await machines.get(id)
  const files = async (): Promise<string[]> => (await readdir(join(folder, 'disks'))).sort()

  expect(await codeOf(rewrite(open, id, 'encrypt', 'keep'))).toBe('NOT_FOUND')
  await encryption.setPassphrase(id, null, passphrase, false)
  // There is no trash in tests.
  expect(await codeOf(rewrite(open, id, 'encrypt', 'trash'))).toBe('CAPABILITY_MISSING')
  await machines.start(id)
  expect(await codeOf(rewrite(open, id, 'encrypt', 'keep'))).toBe('DISK_IN_USE')
  await machines.powerOff(id)
  const first = await workInLedger(open, id)

  expect(await codeOf(rewrite(open, id, 'encrypt', 'keep'))).toBe('KEY_REQUIRED')
  await encryption.unlock(id, passphrase, false)
  await rewrite(open, id, 'encrypt', 'keep')
  expect((await machines.get(id)).definition.disks).toMatchObject([{ id: 'disk0', encrypted: true, format: 'qcow2', image: { kind: 'own', path: 'disks/disk0-2.qcow2' } }])
  expect(await files()).toEqual(['disk0-2.qcow2', 'disk0.qcow2'])
  // Only what was kept can be read.
  expect(await plainParts(folder)).toEqual(['disks/disk0.qcow2'])
  const second = await workInLedger(open, id)
  expect(second).toBeGreaterThan(first)
  expect(await codeOf(rewrite(open, id, 'encrypt', 'keep'))).toBe('ILLEGAL_STATE')

  await encryption.unlock(id, passphrase, false)
  const { id: snapshotId } = await snapshots.take(id, { name: 'before', description: '', memory: false, quiesce: false })
  expect(await codeOf(rewrite(open, id, 'decrypt', 'delete'))).toBe('ILLEGAL_STATE')
  await snapshots.delete(id, snapshotId, { children: false })
  await rewrite(open, id, 'decrypt', 'delete')
  const [disk] = (await machines.get(id)).definition.disks
  expect(disk).toMatchObject({ encrypted: false, format: 'qcow2' })
  expect(await plainParts(folder)).toHaveLength(2)
  expect(await files()).toHaveLength(2)
  await encryption.lock(id)
  expect(await workInLedger(open, id)).toBeGreaterThan(second)
  expect(open.defects).toEqual([])
}, 300_000)

test('the host is killed at each step of it: one file is the disk, encrypted or not as it is said to be, and the other one is gone', async () => {
  const [spare = ''] = await addMachines(at.library, [plainMachine('left alone')])
  const hooks = new StepHooks()
  const steps: Step[] = []
  {
    await using open = await OpenLibrary.open(at.programs, at.library, hooks)
    await open.calls.encryption.setPassphrase(spare, null, passphrase, false)
    await hooks.during((step) => void steps.push(step), () => rewrite(open, spare, 'encrypt', 'delete'))
  }
  expect(steps.map(({ name }) => name)).toEqual(['move:begun', 'move:copied', 'move:named', 'move:recorded', 'tidy:layer-removed', 'move:source-removed'])
  const ids = await addMachines(at.library, steps.map(({ name }) => plainMachine(name.replace(':', ' '))))
  {
    await using host = await HostProcess.start(at.programs, at.library)
    for (const [index, step] of steps.entries()) {
      const id = ids[index] ?? ''
      await host.calls.encryption.setPassphrase(id, null, passphrase, false)
      await host.holdAt(step, (calls) => rewrite({ calls }, id, 'encrypt', 'delete'))
    }
    await host.kill()
  }
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, encryption } = open.calls
  for (const [index, { name }] of steps.entries()) {
    const id = ids[index] ?? ''
    const { definition, folder } = await machines.get(id)
    const wentOver = index >= 3
    expect(definition.disks, name).toMatchObject([{ encrypted: wentOver }])
    expect(await readdir(join(folder, 'disks')), name).toEqual([wentOver ? 'disk0-2.qcow2' : 'disk0.qcow2'])
    expect(await plainParts(folder), name).toEqual(wentOver ? [] : ['disks/disk0.qcow2'])
    if (wentOver) expect(await codeOf(machines.start(id))).toBe('KEY_REQUIRED')
    // Just before and just after the disk is another one; the rest would take long and come to the same.
    if (name !== 'move:named' && name !== 'move:recorded') continue
    await encryption.unlock(id, passphrase, false)
    expect(await workInLedger(open, id), name).toBeGreaterThan(0)
  }
  expect(open.defects).toEqual([])
}, 300_000)
