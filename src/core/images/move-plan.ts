import { lstat, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { RingsideError } from '@shared/errors'
import { isLive, type Disk, type DiskWork, type ImageLocation } from '@shared/model'
import { imagePath, ownDiskPath } from '../library'
import { realFolder } from '../snapshot/layers'
import { bytesInWords } from '../storage'
import type { Plug } from './catalogue'
import type { ImageContext } from './context'
import { requireFreeTarget, type Subject } from './subject'

type Move = Extract<DiskWork, { kind: 'move' }>

/** Where a disk is moved to. */
export interface MoveTarget {
  /** Absolute, links of folders resolved. Nothing is there. */
  readonly path: string
  readonly image: ImageLocation
  readonly format: 'qcow2' | 'raw'
}

/** The one disk that an image which can be moved is. */
export function plugOf({ known }: Subject): Plug {
  const plug = known?.plugs[0]
  if (plug === undefined) throw new RingsideError('INTERNAL', 'A disk was to be moved that no machine has.')
  return plug
}

/** Throws `INVALID_INPUT`, `FILE_EXISTS`, `FILE_NOT_FOUND`, `IMAGE_UNSUPPORTED` with what speaks against the place. */
export async function moveTarget(context: ImageContext, subject: Subject, { to, format: wanted }: Move): Promise<MoveTarget> {
  const { machine, disk } = plugOf(subject)
  await requirePlainFile(machine.folder, disk, subject)
  const format = wanted ?? (subject.format === 'raw' ? 'raw' : 'qcow2')
  if (to === null) {
    if (disk.image.kind === 'own') throw new RingsideError('INVALID_INPUT', `The disk lies in its machine’s folder already: ${subject.path}`, { path: subject.path, hint: 'Choose another folder.' })
    return ownTarget(machine.folder, disk.id, format)
  }
  const isFolder = await stat(to).then((found) => found.isDirectory(), () => false)
  const file = isFolder ? await freeName((name) => join(to, name), (path) => path, `${basename(machine.folder)}-${disk.id}`, format) : to
  const path = await requireFreeTarget(context, file)
  return { path, image: { kind: 'external', path }, format }
}

/** Where a disk is written anew within its machine's folder. Throws `IMAGE_UNSUPPORTED` for a link or a device. */
export async function rewriteTarget(subject: Subject): Promise<MoveTarget> {
  const { machine, disk } = plugOf(subject)
  await requirePlainFile(machine.folder, disk, subject)
  return ownTarget(machine.folder, disk.id, 'qcow2')
}

async function ownTarget(machineFolder: string, diskId: string, format: 'qcow2' | 'raw'): Promise<MoveTarget> {
  const folder = await realFolder(machineFolder)
  const own = await freeName((name) => ownDiskPath(name), (path) => join(folder, ...path.split('/')), diskId, format)
  return { path: join(folder, ...own.split('/')), image: { kind: 'own', path: own }, format }
}

async function freeName(place: (name: string) => string, absolute: (path: string) => string, stem: string, format: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const path = place(`${stem}${number === 1 ? '' : `-${String(number)}`}.${format}`)
    if ((await lstat(absolute(path)).catch(() => null)) === null) return path
  }
}

/** A link or a device can't be moved: what it stands for lies elsewhere, and others may mean it. */
async function requirePlainFile(folder: string, disk: Disk, { path }: Subject): Promise<void> {
  const named = imagePath(folder, disk.image)
  const found = await lstat(named)
  if (found.isSymbolicLink()) throw new RingsideError('IMAGE_UNSUPPORTED', `The machine names its disk by a link, which other programs may use too: ${named}`, { path: named, hint: `Name the file itself in the machine’s hardware: ${path}` })
  if (!(await stat(path)).isFile()) throw new RingsideError('IMAGE_UNSUPPORTED', `This is a device and no file, and can’t be moved: ${path}`, { path, hint: 'Copy it to an image instead.' })
}

/** What the new file may take, bytes: all that lies in the file and below it, and no more than the disk is long. */
export function roomToMove({ known, bytes, virtualBytes }: Subject): number {
  // A chain has the layers below it copied too; how much of them shows is not looked up, since a guest may be writing.
  const most = known?.below == null ? bytes : virtualBytes
  return Math.min(most, virtualBytes) + tableBytes(virtualBytes)
}

/** Tables of a qcow2: eight bytes for each 64 KiB, and as much again for what counts them. */
function tableBytes(virtualBytes: number): number {
  return Math.ceil(virtualBytes / 4096) + 2 ** 20
}

/** What happens, a sentence each. */
export function moveSteps(work: Move, subject: Subject, target: string | null): string[] {
  const [plug] = subject.known?.plugs ?? []
  if (plug === undefined) return []
  const { machine, disk } = plug
  const name = `“${machine.definition.name}”`
  const steps = [`All that a guest sees of the disk “${disk.id}” (${bytesInWords(subject.virtualBytes)}) is copied${target === null ? '' : ` to ${target}`}.`]
  steps.push(isLive(machine.state)
    ? `${name} goes on meanwhile; what it writes goes to both files, which makes its writing slower. At the end it stands still for a moment.`
    : `${name} can’t be started meanwhile. Both are compared.`)
  steps.push('Then the machine has its disk there, and the old file is removed. Cancelled or cut off before that, the disk is where it was and the copy is removed.')
  if (subject.known?.below != null) steps.push('The new file stands alone: what the disk shares with other images is copied too.')
  if (work.to !== null && !disk.readOnly) steps.push('While the disk lies outside the machine’s folder, no snapshots can be taken of the machine.')
  return steps
}

