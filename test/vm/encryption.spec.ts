import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { memoryIsPlain, type CloneRequest } from '@shared/model'
import { codeOf, encryptedLedgerMachine, leaksOf, passphrase, plainParts } from './support/encrypted-machines'
import { LedgerConsole } from './support/ledger-machines'
import { OpenLibrary } from './support/open-library'
import { addMachines } from './support/real-host'
import { useLibrary } from './support/test-library'

/* Machines with encrypted disks: what opens them, and that nothing of them lies in the clear. */

const at = useLibrary()

const taking = { description: '', memory: false, quiesce: false }
const cloning = (id: string, name: string, kind: CloneRequest['kind']): CloneRequest => ({ id, name, kind, snapshotId: null, warm: false })

/** Lets the guest write, and compare its disk with its memory. @returns its last number */
async function work(open: OpenLibrary, id: string): Promise<number> {
  using console = await LedgerConsole.open(open, id)
  await console.write(4)
  return await console.verify()
}

test('an encrypted disk opens with its passphrase only, whatever layers lie upon it, and nothing of it can be read anywhere', async () => {
  let key = ''
  const [id = ''] = await addMachines(at.library, [encryptedLedgerMachine('vault', (made) => { key = made })])
  let changed: string
  {
    await using open = await OpenLibrary.open(at.programs, at.library)
    const { machines, snapshots, encryption, clones } = open.calls
    const { folder } = await machines.get(id)
    const secrets = [passphrase, passphrase.normalize('NFD'), key]

    expect(await codeOf(machines.start(id))).toBe('KEY_REQUIRED')
    expect(await codeOf(encryption.unlock(id, 'mountain', false))).toBe('KEY_WRONG')
    expect(await codeOf(machines.start(id))).toBe('KEY_REQUIRED')
    expect((await machines.get(id)).state).toBe('stopped')
    expect(await codeOf(encryption.unlock(id, passphrase, true))).toBe('CAPABILITY_MISSING')

    // The same letters, typed in another way.
    await encryption.unlock(id, passphrase.normalize('NFD'), false)
    await machines.start(id)
    await work(open, id)
    expect(await leaksOf(secrets, [at.library.runtime, folder])).toEqual([])

    const first = await snapshots.take(id, { ...taking, name: 'first', memory: true })
    expect(first.notes).toContain(memoryIsPlain)
    await work(open, id)
    const second = await snapshots.take(id, { ...taking, name: 'second' })
    await work(open, id)
    // Its layer is merged into the one above while the guest runs.
    await snapshots.delete(id, first.id, { children: false })
    const last = await work(open, id)
    expect(await plainParts(folder)).toEqual([])
    await machines.powerOff(id)

    // Off, its key is gone until somebody gives it.
    expect(await codeOf(machines.start(id))).toBe('KEY_REQUIRED')
    await encryption.unlock(id, passphrase, false)
    const linked = await clones.clone(cloning(id, 'linked', 'linked'))
    const full = await clones.clone(cloning(id, 'full', 'full'))
    for (const clone of [linked, full]) {
      await machines.start(clone)
      expect(await work(open, clone)).toBeGreaterThan(last)
      await machines.powerOff(clone)
      expect(await plainParts((await machines.get(clone)).folder)).toEqual([])
    }
    await snapshots.revert(id, { snapshotId: second.id, memory: false, keepPresent: null, start: true })
    expect(await work(open, id)).toBeLessThan(last + 4)
    await machines.powerOff(id)

    changed = 'another one, longer'
    expect(await codeOf(encryption.setPassphrase(id, null, changed, false))).toBe('KEY_REQUIRED')
    expect(await codeOf(encryption.setPassphrase(id, 'not it', changed, false))).toBe('KEY_WRONG')
    await encryption.setPassphrase(id, passphrase, changed, false)
    expect(await codeOf(encryption.unlock(id, passphrase, false))).toBe('KEY_WRONG')
    // A clone has a lock of its own.
    await encryption.unlock(full, passphrase, false)
    expect(await encryption.reveal(id, changed)).toBe(key)
    expect(await leaksOf([...secrets, changed], [at.library.data, at.library.runtime])).toEqual([])
    expect(open.defects).toEqual([])
  }
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, encryption } = open.calls
  const { folder } = await machines.get(id)
  // A plain disk in the place of an encrypted one is not written to.
  await encryption.unlock(id, changed, false)
  const disk = join(folder, (await machines.get(id)).definition.disks[0]?.image.path ?? '')
  const whole = await readFile(disk)
  const plain = Buffer.from(whole)
  plain.writeUInt32BE(0, 32)
  await writeFile(disk, plain)
  expect(await codeOf(machines.start(id))).toBe('IMAGE_UNSUPPORTED')
  await writeFile(disk, whole)
  await machines.start(id)
  await work(open, id)
}, 400_000)
