import { relative, sep } from 'node:path'
import { type Issue, isRingsideError, RingsideError } from '@shared/errors'
import type { Disk, ImageLocation, MachineHardware } from '@shared/model'
import { checkFile, checkImage } from '../engine/qemu'
import { imagePath } from '../library'
import { baseFoldersOf } from '../library/base-folders'
import { RealPlaces, realFolder } from '../snapshot/layers'
import { namesOf } from '../snapshot/names'
import { survey as look, type Survey } from '../snapshot/survey'
import { isInside } from '../storage/references'
import { withHint } from '../storage/inspect'
import type { StoredMachine } from '../app/services'
import type { HardwareContext } from './context'

/** What speaks against the images that a change brings in: they are looked at as at a start, and nothing is written that others read from. */
export async function imageIssues(context: HardwareContext, stored: StoredMachine, hardware: MachineHardware): Promise<Issue[]> {
  const { definition, paths: { folder } } = stored
  const issues: Issue[] = []
  const say = async (path: string, received: string, check: () => Promise<unknown>): Promise<void> => {
    try {
      await check()
    } catch (error) {
      if (!isRingsideError(error)) throw error
      issues.push({ path, message: withHint(error), received, code: error.code, severity: 'error' })
    }
  }
  const allowed = { machineFolder: folder, baseFolders: baseFoldersOf(context.snapshots.library, definition), baseFiles: [] }
  for (const [index, disk] of hardware.disks.entries()) {
    if (definition.disks.some(({ id, readOnly }) => id === disk.id && readOnly === disk.readOnly)) continue
    await say(`disks.${String(index)}.image`, disk.image.path, async () => {
      await checkImage({ path: imagePath(folder, disk.image), format: disk.format, readOnly: disk.readOnly, label: `disk “${disk.id}”`, encrypted: disk.encrypted }, allowed)
      if (!disk.readOnly && !definition.disks.some(({ id }) => id === disk.id)) await requireUnshared(context, stored, disk)
    })
  }
  for (const [index, { id, image }] of hardware.cdroms.entries()) {
    const known = definition.cdroms.find((cdrom) => cdrom.id === id)
    if (image === null || isSameImage(known?.image ?? null, image)) continue
    await say(`cdroms.${String(index)}.image`, image.path, () => checkImage({ path: imagePath(folder, image), format: 'raw', readOnly: true, label: `CD image in “${id}”` }, allowed))
  }
  const { kernel } = hardware.boot
  for (const [path, image, label] of [['boot.kernel.kernel', kernel?.kernel ?? null, 'kernel'], ['boot.kernel.initrd', kernel?.initrd ?? null, 'initial ramdisk']] as const) {
    const known = label === 'kernel' ? definition.boot.kernel?.kernel : definition.boot.kernel?.initrd
    if (image === null || isSameImage(known ?? null, image)) continue
    await say(path, image.path, () => checkFile({ path: imagePath(folder, image), readOnly: true, label }))
  }
  return issues
}

function isSameImage(a: ImageLocation | null, b: ImageLocation): boolean {
  return a?.kind === b.kind && a.path === b.path
}

/**
 * Refuses a disk that would be written to while others read from its file: layers of snapshots, of linked clones, files of other machines.
 * Throws `DISK_IN_USE`.
 */
export async function requireUnshared(context: HardwareContext, stored: StoredMachine, disk: Pick<Disk, 'id' | 'image'>): Promise<void> {
  const path = await new RealPlaces().of(imagePath(stored.paths.folder, disk.image))
  const library = await realFolder(context.snapshots.libraryFolder)
  const survey = await look(context.snapshots, stored)
  if (isInside(path, library) && !isInside(path, survey.folder)) {
    throw new RingsideError('DISK_IN_USE', `The disk belongs to another machine: ${path}`, { path, hint: 'Use a copy of it, or use it read-only.' })
  }
  const reader = readerOf(survey, path)
  if (reader !== null) throw new RingsideError('DISK_IN_USE', `${reader} reads from this file, so that nothing may be written to it: ${path}`, { path, hint: 'Use a copy of it, or use it read-only.' })
}

/** Who else has the file, in words; null: nobody. */
function readerOf(survey: Survey, path: string): string | null {
  if (survey.graph.readersOf(path).length > 0) return 'Another layer'
  if (!isInside(path, survey.folder)) return null
  const [namer] = namesOf(survey, null).of(relative(survey.folder, path).replaceAll(sep, '/'))
  switch (namer?.kind) {
    case undefined:
      return null
    case 'snapshot':
      return `The snapshot “${survey.snapshots.get(namer.id)?.manifest.name ?? namer.id}”`
    case 'saved':
      return 'The saved state'
    case 'clone':
      return 'A linked clone'
    case 'present':
    case 'run':
      return 'The machine itself'
    case 'unclear':
      return `A record that can’t be understood (${namer.path})`
  }
}
