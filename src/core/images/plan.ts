import { dirname } from 'node:path'
import { RingsideError, isRingsideError } from '@shared/errors'
import { stateInWords, type DiskWork, type DiskWorkPlan } from '@shared/model'
import type { QemuImg } from '../engine/qemu'
import { freeBytes } from '../snapshot/room'
import { bytesInWords, issueOf } from '../storage'
import { liveUsers } from './catalogue'
import type { ImageContext } from './context'
import { encryptSteps, requireTrash } from './encrypt'
import { moveSteps, moveTarget, rewriteTarget, roomToMove } from './move-plan'
import { whyNot } from './rules'
import { findSubject, requireFreeTarget, type Subject } from './subject'
import { checksumPiece } from './work'

/** Work whose outcome holds all that the image holds. */
const readWhole = new Set<DiskWork['kind']>(['shrink', 'convert', 'copy', 'move', 'encrypt', 'decrypt', 'compact', 'checksum'])

/** A piece of work that was looked at. */
export interface Prepared {
  readonly plan: DiskWorkPlan
  /** Everything that speaks against it. */
  readonly faults: readonly RingsideError[]
  /** null: it could not be found, or there is none yet. */
  readonly subject: Subject | null
  /** The folder that needs the room. */
  readonly folder: string
  /** The file that comes of it; null: none, or none that could be. */
  readonly target: string | null
}

/**
 * Tries the passphrase of an image from elsewhere, so that a wrong one is told before a job begins.
 * Throws `KEY_WRONG`.
 */
export async function requireOpens(context: ImageContext, { subject }: Prepared): Promise<void> {
  if (subject?.passphrase == null) return
  await (await context.imageTool()).measure(subject.path, subject.format, 'qcow2', subject.passphrase)
}

/** Looks what a piece of work would do, need and meet. Changes nothing; whatever speaks against it is in the result. */
export async function prepare(context: ImageContext, work: DiskWork): Promise<Prepared> {
  const faults: RingsideError[] = []
  const attempt = async <T>(look: () => Promise<T>): Promise<T | null> => {
    try {
      return await look()
    } catch (error) {
      if (!isRingsideError(error)) throw error
      faults.push(error)
      return null
    }
  }
  const given = targetOf(work)
  if (given !== null) await attempt(() => requireFreeTarget(context, given))
  const subject = work.kind === 'create' ? null : await attempt(() => findSubject(context, work.path, {
    sourceFormat: 'sourceFormat' in work ? work.sourceFormat : undefined, ...(work.kind === 'convert' ? { acceptedFiles: work.acceptedFiles, passphrase: work.encryption?.passphrase ?? null } : {}), mayBeDamaged: work.kind === 'check' || work.kind === 'repair', isReadWhole: readWhole.has(work.kind), isRemoved: work.kind === 'delete',
  }))
  if (subject !== null) {
    const why = subject.known === null ? whyNotForeign(work, subject) : whyNot(work.kind, subject.known)
    if (why !== null) faults.push(refusal(work, subject, why))
    const isEncrypted = subject.known?.encrypted === true || subject.passphrase !== null
    if (isEncrypted && subject.passphrase === null && work.kind !== 'delete') await attempt(() => context.keyOf(subject.path))
    if (isEncrypted && work.kind === 'convert' && work.format !== 'qcow2' && work.encryption?.keep !== false) faults.push(refusal(work, subject, 'The disk is encrypted, and in this format it would be written unencrypted. Choose qcow2.'))
    if (work.kind === 'grow' && work.preallocated === true) {
      const why = whyNotPreallocated(subject)
      if (why !== null) faults.push(refusal(work, subject, why))
    }
    const size = sizeFault(work, subject)
    if (size !== null) faults.push(size)
  }
  const target = subject !== null && faults.length === 0 ? await attempt(() => ownTarget(context, subject, work)) ?? given : given
  const folder = dirname(target ?? subject?.path ?? work.path)
  // What was refused already is not measured, which may take a key.
  const neededBytes = faults.length > 0 ? 0 : (await attempt(async () => roomFor(await context.imageTool(), work, subject))) ?? 0
  const free = await freeBytes(work.kind === 'checksum' ? dirname(context.temporaryFolder) : folder)
  if (free !== null && free < neededBytes) {
    faults.push(new RingsideError('DISK_FULL', `The drive has ${bytesInWords(free)} left and ${bytesInWords(neededBytes)} may be needed: ${folder}`, { path: folder, hint: 'Free some space there, or choose another folder.' }))
  }
  const plan = { title: titleOf(work), steps: stepsOf(work, subject, target), neededBytes, freeBytes: free, issues: faults.map(issueOf) }
  return { plan, faults, subject, folder, target }
}

/** The file that a disk becomes, where that is found by itself, and what else is to be there for it. */
async function ownTarget(context: ImageContext, subject: Subject, work: DiskWork): Promise<string | null> {
  if (work.kind === 'move') return (await moveTarget(context, subject, work)).path
  if (work.kind !== 'encrypt' && work.kind !== 'decrypt') return null
  requireTrash(context, work, subject)
  const { path } = await rewriteTarget(subject)
  await context.keyOf(path)
  return path
}

/** The file that comes of it; null: none. */
export function targetOf(work: DiskWork): string | null {
  return work.kind === 'create' ? work.path : work.kind === 'convert' || work.kind === 'copy' ? work.to : null
}

/** For people, with the bare name of the file. */
export function titleOf(work: DiskWork): string {
  const name = work.path.split(/[\\/]/u).at(-1) ?? work.path
  switch (work.kind) {
    case 'create': return `Making ${name}`
    case 'grow': return `Making ${name} larger`
    case 'shrink': return `Making ${name} smaller`
    case 'convert': return `Converting ${name} to ${work.format}`
    case 'copy': return `Copying ${name}`
    case 'move': return `Moving ${name}`
    case 'encrypt': return `Encrypting ${name}`
    case 'decrypt': return `Decrypting ${name}`
    case 'compact': return `Compacting ${name}`
    case 'check': return `Checking ${name}`
    case 'repair': return `Repairing ${name}`
    case 'checksum': return `Checksum of ${name}`
    case 'delete': return `Deleting ${name}`
  }
}

function refusal(work: DiskWork, { path, known }: Subject, why: string): RingsideError {
  const used = known !== null && (liveUsers(known).length > 0 || work.kind === 'delete')
  return new RingsideError(used ? 'DISK_IN_USE' : 'ILLEGAL_STATE', `${titleOf(work)} is not possible. ${why}`, { path })
}

/** Nobody in the library has to do with it; QEMU’s own locks guard it against others. */
function whyNotForeign(work: DiskWork, { format }: Subject): string | null {
  if (work.kind === 'delete') return 'It is no image of the library, nor one that lies beside such.'
  const image = { path: work.path, owner: null, format, virtualBytes: null, bytes: 0, below: null, readers: [], users: [], plugs: [], encrypted: false, internalSnapshots: 0, snapshotBelow: null, fault: null }
  return whyNot(work.kind, image)
}

/** Why what is new of a disk can’t take its room at once; null: it can. */
function whyNotPreallocated({ known }: Subject): string | null {
  if (known === null) return null
  const [user] = liveUsers(known)
  if (user !== undefined) return `“${user.machineName}” is ${stateInWords(user.state)}, and QEMU takes no room beforehand then. Shut it down first, or let the disk take its room as it is written to.`
  if (known.below !== null) return 'It is based on another image, and takes its room as it is written to.'
  return known.encrypted ? 'It is encrypted, and takes its room as it is written to.' : null
}

function sizeFault(work: DiskWork, { virtualBytes, path }: Subject): RingsideError | null {
  if (work.kind !== 'grow' && work.kind !== 'shrink') return null
  const isRight = work.kind === 'grow' ? work.sizeBytes > virtualBytes : work.sizeBytes < virtualBytes
  if (isRight) return null
  const message = `The disk has ${bytesInWords(virtualBytes)} (${String(virtualBytes)} bytes) now; say a ${work.kind === 'grow' ? 'larger' : 'smaller'} size.`
  return new RingsideError('INVALID_INPUT', message, { path, issues: [{ path: 'sizeBytes', message, received: String(work.sizeBytes), severity: 'error' }] })
}

async function roomFor(tool: QemuImg, work: DiskWork, subject: Subject | null): Promise<number> {
  if (work.kind === 'create') return work.preallocated ? work.sizeBytes : 0
  if (subject === null) return 0
  const { path, format, bytes, virtualBytes } = subject
  switch (work.kind) {
    case 'convert':
      // What takes a passphrase is not opened to be measured: with all its layers it holds no more than it has, and a container may be full.
      return subject.passphrase === null ? measured(tool, subject, work.format) : Math.ceil((format === 'raw' ? virtualBytes : bytes) * 1.02)
    case 'copy':
      return measured(tool, subject, format)
    case 'move':
    case 'encrypt':
    case 'decrypt':
      return roomToMove(subject)
    case 'compact':
      return Math.min(bytes, (await tool.measure(path, format, 'qcow2')).requiredBytes)
    case 'repair':
      return work.what === 'all' ? bytes : 0
    case 'checksum':
      return Math.min(checksumPiece, virtualBytes)
    case 'grow':
      return work.preallocated === true ? Math.max(0, work.sizeBytes - virtualBytes) : 0
    case 'shrink':
    case 'check':
    case 'delete':
      return 0
  }
}

/** QEMU measures qcow2 and raw; what other formats add to the data is a few per cent. */
async function measured(tool: QemuImg, { path, format }: Subject, target: string): Promise<number> {
  const { requiredBytes } = await tool.measure(path, format, target === 'qcow2' ? 'qcow2' : 'raw')
  return target === 'qcow2' || target === 'raw' ? requiredBytes : Math.ceil(requiredBytes * 1.02)
}

const encryptedCopy = ['All that a guest sees of it is written to a new qcow2 file, which stands alone and is encrypted as this one is.', 'Outside the machine’s folder the copy opens with the machine’s disk key only; keep that key with it.']

function foreignStep(keep: boolean, format: string): string {
  return keep ? 'It is opened with its passphrase, and all that a guest sees of it is written to a new qcow2 file, which stands alone and is encrypted with the same passphrase.' : `It is opened with its passphrase, and all that a guest sees of it is written to a new ${format} file, which stands alone and is not encrypted: whoever has it can read all of it.`
}

function stepsOf(work: DiskWork, subject: Subject | null, target: string | null): string[] {
  const users = subject?.known == null ? [] : [...new Set(subject.known.users.map(({ machineName }) => `“${machineName}”`))]
  const held = users.length === 0 ? [] : [`${users.join(', ')} can’t be started or changed meanwhile.`]
  const untouched = 'The image itself stays as it is.'
  switch (work.kind) {
    case 'create':
      return [work.preallocated ? `An empty disk of ${bytesInWords(work.sizeBytes)} is made, which takes its room at once.` : `An empty disk of ${bytesInWords(work.sizeBytes)} is made, which takes room only as it is written to.`]
    case 'grow': {
      const running = subject?.known != null && liveUsers(subject.known).length > 0
      const more = subject === null || work.sizeBytes <= subject.virtualBytes ? '' : `, ${bytesInWords(work.sizeBytes - subject.virtualBytes)} more than now`
      return [`The disk will have ${bytesInWords(work.sizeBytes)}${more}. ${running ? 'The machine goes on meanwhile.' : work.preallocated === true ? 'What is new takes its room on the drive at once.' : 'What is new takes room only as it is written to.'}`, 'Partitions and file systems stay as they are; the guest has to make them larger.', ...held]
    }
    case 'shrink':
      return [
        `It is looked first whether anything lies behind ${bytesInWords(work.sizeBytes)}, and whether a partition reaches further than that. Where it does, or can’t be told, nothing is changed.`,
        `Then the disk is cut there, and the guest sees ${bytesInWords(work.sizeBytes)}. Make its last partition smaller within the guest beforehand.`, ...held,
      ]
    case 'convert':
      if (work.encryption !== undefined) return [foreignStep(work.encryption.keep, work.format), untouched, ...held]
      if (subject?.known?.encrypted === true) return [...encryptedCopy, untouched, ...held]
      return [`All that a guest sees of it is written to a new ${work.format} file, which stands alone.`, untouched, ...held]
    case 'copy':
      if (subject?.known?.encrypted === true) return [...encryptedCopy, untouched, ...held]
      return ['All that a guest sees of it is written to a new file of the same format, which stands alone.', untouched, ...held]
    case 'move':
      return subject === null ? [] : moveSteps(work, subject, target)
    case 'encrypt':
    case 'decrypt':
      return subject === null ? [] : encryptSteps(work, subject)
    case 'compact':
      return ['The image is written anew beside itself without what reads as zeroes, both are compared, and the new one takes its place in one step.', 'Cancelled or cut off, the image is as it was.', ...held]
    case 'check':
      return ['All tables of the image are gone through. Nothing is changed.', ...held]
    case 'repair':
      return [work.what === 'all' ? 'The file is copied first. Then its tables are mended; where they contradict each other, data may be lost.' : 'Space that nothing in the image refers to is given back. Data is not touched.', ...held]
    case 'checksum':
      return ['All that a guest sees of it is read once. Nothing is changed.', ...held]
    case 'delete':
      return [work.permanently ? 'The file is deleted for good.' : 'The file is moved to the trash.']
  }
}
