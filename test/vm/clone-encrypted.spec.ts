import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dataPaths } from '@core/library'
import type { CloneRequest } from '@shared/model'
import { codeOf, leaksOf, passphrase, plainParts } from './support/encrypted-machines'
import { request } from './support/clone-machines'
import { assembleLedgerDisk } from './support/ledger-guest'
import { bareHardware, diskMachine, workInLedger } from './support/ledger-machines'
import { OpenLibrary } from './support/open-library'
import { addMachines, HostProcess } from './support/real-host'
import { useLibrary } from './support/test-library'

/* A disk that snapshots and linked clones need as it is becomes encrypted, or plain, by way of a full clone. The original is as it was. */

const at = useLibrary()

const other = 'seven green apples, and a pear'
const machinesFolder = (): string => dataPaths(at.library.data).library

test('a machine with snapshots and a linked clone is encrypted by a full clone, which gets another key by another one, and is plain by a third', async () => {
  const [id = ''] = await addMachines(at.library, [diskMachine('plain', [assembleLedgerDisk()], bareHardware)])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, encryption, snapshots, clones, images } = open.calls
  const { folder, definition } = await machines.get(id)
  const disk = join(folder, definition.disks[0]?.image.path ?? '')
  const early = await workInLedger(open, id)
  const { id: snapshotId } = await snapshots.take(id, { name: 'Before', description: '', memory: false, quiesce: false })
  await clones.clone(request(id, 'linked', { kind: 'linked', snapshotId }))
  const last = await workInLedger(open, id)

  await encryption.setPassphrase(id, null, passphrase, false)
  const present = join(folder, (await machines.get(id)).definition.disks[0]?.image.path ?? '')
  await expect(images.work({ kind: 'encrypt', path: present, original: 'keep' })).rejects.toThrow('Make a full clone of “plain” that is encrypted')
  expect(await codeOf(clones.clone(request(id, 'x', { kind: 'linked', encryption: { passphrase, remember: false } })))).toBe('INVALID_INPUT')

  const encrypted = await clones.clone(request(id, 'encrypted', { encryption: { passphrase, remember: false } }))
  const branch = await clones.clone(request(id, 'branch', { snapshotId, encryption: { passphrase: other, remember: false } }))
  for (const clone of [encrypted, branch]) {
    const made = await machines.get(clone)
    expect(made.definition.disks).toMatchObject([{ encrypted: true, format: 'qcow2', image: { kind: 'own', path: 'disks/disk0.qcow2' } }])
    expect(await plainParts(made.folder)).toEqual([])
  }
  // The key is at hand for whoever has just made it, and gone with the run.
  expect(await workInLedger(open, encrypted)).toBeGreaterThan(last)
  expect(await codeOf(machines.start(encrypted))).toBe('KEY_REQUIRED')
  const branchLast = await workInLedger(open, branch)
  expect(branchLast).toBeGreaterThan(early)
  expect(branchLast).toBeLessThan(last + 4)

  expect(await codeOf(clones.clone(request(encrypted, 'x', { encryption: { passphrase: other, remember: false } })))).toBe('KEY_REQUIRED')
  expect((await readdir(machinesFolder())).filter((name) => name.startsWith('x-'))).toEqual([])
  await encryption.unlock(encrypted, passphrase, false)
  const anew = await clones.clone(request(encrypted, 'anew', { encryption: { passphrase: other, remember: false } }))
  const plain = await clones.clone(request(encrypted, 'plain again', { encryption: 'none' }))
  expect(await plainParts((await machines.get(anew)).folder)).toEqual([])
  expect(await codeOf(encryption.unlock(anew, passphrase, false))).toBe('KEY_WRONG')
  expect(await encryption.reveal(anew, other)).not.toBe(await encryption.reveal(encrypted, passphrase))
  const keys = [passphrase, other, await encryption.reveal(anew, other), await encryption.reveal(encrypted, passphrase)]
  await encryption.lock(encrypted)
  expect(await workInLedger(open, anew)).toBeGreaterThan(last + 4)
  expect((await machines.get(plain)).definition.disks).toMatchObject([{ encrypted: false }])
  expect(await readdir((await machines.get(plain)).folder)).not.toContain('encryption.json')
  expect(await workInLedger(open, plain)).toBeGreaterThan(last + 4)

  // The original is as it was, and goes on.
  expect((await readFile(disk)).readUInt32BE(32)).toBe(0)
  expect(await workInLedger(open, id)).toBeGreaterThan(last)
  expect(await leaksOf(keys, [at.library.data, at.library.runtime])).toEqual([])
  expect(open.defects).toEqual([])
}, 300_000)

test('a host that is killed while a clone is encrypted leaves nothing of it', async () => {
  const [id = ''] = await addMachines(at.library, [diskMachine('plain', [assembleLedgerDisk()], bareHardware)])
  const wanted: CloneRequest = request(id, 'encrypted', { encryption: { passphrase, remember: false } })
  const before = await readdir(machinesFolder())
  {
    await using host = await HostProcess.start(at.programs, at.library)
    await host.holdAt({ index: 0, name: 'clone:images-made' }, (calls) => calls.clones.clone(wanted))
    await host.kill()
  }
  await using open = await OpenLibrary.open(at.programs, at.library)
  expect(await readdir(machinesFolder())).toEqual(before)
  const clone = await open.calls.clones.clone(wanted)
  expect(await workInLedger(open, clone)).toBeGreaterThan(0)
}, 300_000)
