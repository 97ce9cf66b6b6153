import { randomBytes } from 'node:crypto'
import { lstat, rmdir } from 'node:fs/promises'
import type { Issue } from '@shared/errors'
import { type MachineDefinition, type MachineHardware, newTpmState } from '@shared/model'
import { makeTpmState } from '../engine/qemu'
import { imagePath, type MachineFiles, tpmStatePath } from '../library'

type Places = Pick<MachineFiles, 'folder'>

/** The hardware with the state that its TPM keeps, or, of one that is put in, with a place for a state of its own. */
export function withOwnTpm(hardware: MachineHardware, stored: Pick<MachineDefinition, 'tpm'>): MachineHardware {
  const { tpm } = hardware
  if (tpm?.state !== newTpmState) return hardware
  return { ...hardware, tpm: { ...tpm, state: stored.tpm?.state ?? tpmStatePath(randomBytes(4).toString('hex')) } }
}

/** What speaks against the TPM of hardware, and what has to be known of a change of it. */
export async function tpmIssues(hardware: MachineHardware, { definition: stored, paths }: { definition: MachineDefinition; paths: Places }): Promise<Issue[]> {
  const { tpm } = hardware
  const lost = stored.tpm !== null && tpm?.state !== stored.tpm.state
    ? [warning('tpm', `The guest loses the keys that its TPM keeps: a disk that is encrypted with them (BitLocker, LUKS) then wants its recovery key, and sign-in by PIN or face is set up anew. The TPM’s state is kept in ${stored.tpm.state} until you delete it under “left over”.`)]
    : []
  if (tpm === null) return lost
  if (!tpm.state.startsWith('tpm/')) return [...lost, { path: 'tpm.state', message: 'This is the state of a snapshot or of a disposable run, which no machine may change.', received: tpm.state, severity: 'error' }]
  const isGone = tpm.state === stored.tpm?.state ? false : stored.tpm !== null && !(await isThere(imagePath(paths.folder, { kind: 'own', path: tpm.state })))
  return isGone ? [...lost, warning('tpm.state', 'The state of this TPM is gone: the machine gets a new one, which has none of its keys.')] : lost
}

/** Makes the folder for a TPM's state, before `machine.json` names it. One that is there stays as it is. */
export async function makeTpmFolder({ tpm }: Pick<MachineHardware, 'tpm'>, { folder }: Places): Promise<void> {
  if (tpm === null) return
  const path = imagePath(folder, { kind: 'own', path: tpm.state })
  if (!(await isThere(path))) await makeTpmState(path)
}

/** Removes the folder of a TPM that the machine has no more, if it was never used: there is nothing in it then. */
export async function removeUnusedTpm(before: Pick<MachineHardware, 'tpm'>, after: Pick<MachineHardware, 'tpm'>, { folder }: Places): Promise<void> {
  if (before.tpm === null || before.tpm.state === after.tpm?.state) return
  // Fails for a folder that has anything in it, which is what it is to do.
  await rmdir(imagePath(folder, { kind: 'own', path: before.tpm.state })).catch(() => undefined)
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(() => true, () => false)
}

function warning(path: string, message: string): Issue {
  return { path, message, severity: 'warning' }
}
