import { stat } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import { type MachineDefinition, stateInWords } from '@shared/model'
import { imagePath } from '../library/paths'
import type { MachineSlot } from './machine-slot'
import type { ManagerContext } from './manager-context'

interface UsedImage {
  path: string
  writes: boolean
  /** Device and inode: the same for every name of one file. */
  identity: string
}

/**
 * Refuses to start a machine while another one of this library has one of its images open and either of them writes to it.
 * Throws `DISK_IN_USE` that names the other machine. QEMU's own locks guard against everybody else.
 * @param writes false: what this machine writes goes elsewhere
 * @param definition with the images that are meant; the stored one when absent
 */
export async function requireFreeImages(context: ManagerContext, slot: MachineSlot, { writes, definition: wanted }: { writes: boolean; definition?: MachineDefinition }): Promise<void> {
  const own = await imagesOf(wanted ?? slot.stored.definition, slot.stored.paths.folder, { writes })
  for (const other of context.slots()) {
    if (other === slot || !(other.live || other.state === 'saved')) continue
    // A disposable run reads from the machine's own images and writes elsewhere.
    const disposable = other.record?.disposable === true
    const definition = disposable ? other.stored.definition : other.record?.definition ?? other.savedGuest?.definition ?? other.stored.definition
    for (const used of await imagesOf(definition, other.stored.paths.folder, { writes: !disposable })) {
      const clash = own.find((image) => image.identity === used.identity && (image.writes || (used.writes && other.live)))
      if (clash === undefined) continue
      throw other.live ? inUse(clash.path, other) : neededBySaved(clash.path, other)
    }
  }
}

function inUse(path: string, other: MachineSlot): RingsideError {
  return new RingsideError('DISK_IN_USE', `The disk is in use by “${other.name}”, which is ${stateInWords(other.state)}: ${path}`, {
    path,
    hint: `Shut “${other.name}” down first, or give this machine a disk of its own.`,
  })
}

/** A saved guest has the content of its disks in its memory; when they change behind its back it destroys them. */
function neededBySaved(path: string, other: MachineSlot): RingsideError {
  return new RingsideError('DISK_IN_USE', `The disk belongs to the saved state of “${other.name}”, which would be ruined by writing to it: ${path}`, {
    path,
    hint: `Start “${other.name}” and shut it down, or discard its saved state.`,
  })
}

async function imagesOf(definition: MachineDefinition, folder: string, run: { writes: boolean }): Promise<UsedImage[]> {
  const named = [
    ...definition.disks.map((disk) => ({ image: disk.image, writes: run.writes && !disk.readOnly })),
    ...definition.cdroms.flatMap((cdrom) => (cdrom.image === null ? [] : [{ image: cdrom.image, writes: false }])),
  ]
  const found = await Promise.all(named.map(async ({ image, writes }) => {
    const path = imagePath(folder, image)
    // One that is missing is in nobody's way; the engine says that it is missing.
    const facts = await stat(path, { bigint: true }).catch(() => null)
    return facts === null ? null : { path, writes, identity: `${String(facts.dev)}:${String(facts.ino)}` }
  }))
  return found.filter((image) => image !== null)
}
