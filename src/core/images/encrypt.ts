import { RingsideError } from '@shared/errors'
import type { DiskWork, OldFile } from '@shared/model'
import { syncFile } from '../snapshot/overlays'
import type { AtWork } from './at-work'
import { plugOf, rewriteTarget } from './move-plan'
import { carryOver } from './move'
import type { Subject } from './subject'

type Work = Extract<DiskWork, { kind: 'encrypt' | 'decrypt' }>

/**
 * Writes a machine's disk anew, encrypted or not, and has the machine go over to it as a disk that moves does: `machine.json` says at every moment which file is the disk, and that it is encrypted, in one.
 * Its machine is off.
 */
export async function encryptDisk(at: AtWork, subject: Subject, { kind, original }: Work): Promise<void> {
  const { context, job } = at
  const { disk } = plugOf(subject)
  const target = await rewriteTarget(subject)
  // Also what cut this off earlier may have left unwritten of the old one.
  await syncFile(subject.path)
  const encryption = kind === 'encrypt' ? { key: await context.keyOf(target.path) } : 'none'
  const { kept } = await carryOver(at, subject, target, { encryption, original })
  job.note(`The disk “${disk.id}” is ${kind === 'encrypt' ? 'encrypted' : 'not encrypted any more'}: ${target.path}`)
  if (kept !== null) job.note(kept)
  if (kind === 'encrypt') job.note(plainWords(kept === null ? original : 'keep'))
}

/** What lies about in the clear after a disk was encrypted, a sentence or two. */
function plainWords(original: OldFile): string {
  switch (original) {
    case 'trash': return 'The trash holds the old file, with everything in it unencrypted. Empty it once the machine has started well.'
    case 'keep': return 'The old file holds everything unencrypted. Delete it once the machine has started well.'
    case 'delete': return 'The old file is deleted. What was in it may still be read from the drive itself until something else is written there.'
  }
}

/** What happens, a sentence each. */
export function encryptSteps({ kind, original }: Work, { known }: Subject): string[] {
  const name = `“${known?.plugs[0]?.machine.definition.name ?? 'The machine'}”`
  const steps = [
    kind === 'encrypt' ? `The disk is written anew beside itself as qcow2, encrypted with the disk key of ${name}, and both are compared.` : 'The disk is written anew beside itself as qcow2, unencrypted, and both are compared.',
    `Then ${name} has the new one. Cancelled or cut off before that, the disk is as it was. ${name} can’t be started meanwhile.`,
  ]
  if (kind === 'encrypt') return [...steps, `${{ trash: 'The old file goes to the trash.', keep: 'The old file stays beside it.', delete: 'The old file is deleted.' }[original]} ${plainWords(original)}`, 'Earlier backups and copies of it stay unencrypted.']
  return [...steps, 'From then on whoever has the file can read all of it.', { trash: 'The old file goes to the trash.', keep: 'The old file stays beside it.', delete: 'The old file is deleted.' }[original]]
}

/** Throws `CAPABILITY_MISSING` for an old file that should go to a trash that there is not. */
export function requireTrash({ trash }: Pick<AtWork['context'], 'trash'>, { original }: Work, { path }: Subject): void {
  if (original === 'trash' && trash === null) throw new RingsideError('CAPABILITY_MISSING', `This system has no trash for the old file: ${path}`, { path, hint: 'Have it kept or deleted.' })
}
