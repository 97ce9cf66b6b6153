import { DiskWorkKind, isLive, stateInWords, type ImageUser } from '@shared/model'
import { type KnownImage, liveUsers } from './catalogue'

/** Formats that `qemu-img check` knows. */
const checkable = ['qcow2', 'vdi', 'vmdk', 'vhdx']

/** Why a piece of work can't be done on an image now, as a sentence; null: as far as its users go, it can. Pure. */
export function whyNot(kind: DiskWorkKind, image: KnownImage): string | null {
  switch (kind) {
    case 'create':
      return 'There is an image of that name already.'
    case 'convert':
    case 'copy':
      return unreadable(image) ?? writtenTo(image)
    case 'checksum':
      return unreadable(image) ?? encryptedAnd(image, 'its content would be written to the drive unencrypted meanwhile') ?? writtenTo(image)
    case 'check':
      if (image.format === null) return noFormat
      if (!checkable.includes(image.format)) return `A ${image.format} image has nothing in it that could be checked.`
      return writtenTo(image)
    case 'repair':
      if (image.format !== 'qcow2') return 'Only qcow2 images can be repaired.'
      return openNow(image)
    case 'grow':
      return unreadable(image) ?? notResizable(image) ?? runningButNotHere(image)
    case 'shrink':
      return unreadable(image) ?? notResizable(image) ?? encryptedAnd(image, 'what lies behind its new end could only be looked at by writing it to the drive unencrypted') ?? openNow(image)
    case 'compact':
      if (image.format !== 'qcow2') return 'Only qcow2 images can be compacted. Convert it to qcow2 first.'
      if (image.internalSnapshots > 0) return 'It keeps snapshots within itself, which would be lost.'
      return unreadable(image) ?? (image.below === null ? null : encryptedAnd(image, 'based on another image, and QEMU can’t write such a one anew')) ?? openNow(image)
    case 'move':
      return unreadable(image) ?? encryptedAnd(image, 'only files in the machine’s own folder can be') ?? notMovable(image)
    case 'encrypt':
      return unreadable(image) ?? (image.encrypted ? 'It is encrypted already.' : notRewritable(image, 'encrypted'))
    case 'decrypt':
      return unreadable(image) ?? (image.encrypted ? notRewritable(image, 'not encrypted') : 'It is not encrypted.')
    case 'delete':
      return needed(image)
  }
}

export function obstaclesOf(image: KnownImage): Record<DiskWorkKind, string | null> {
  return Object.fromEntries(DiskWorkKind.options.map((kind) => [kind, whyNot(kind, image)])) as Record<DiskWorkKind, string | null>
}

function encryptedAnd({ encrypted }: KnownImage, why: string): string | null {
  return encrypted ? `It is encrypted, and ${why}.` : null
}

const noFormat = 'Its format can’t be told.'

function unreadable({ format, fault }: KnownImage): string | null {
  if (format === null) return noFormat
  return fault === null ? null : `It ${fault}.`
}

/** What a guest writes to can't be read as a whole. A layer below is frozen. */
function writtenTo(image: KnownImage): string | null {
  const writer = liveUsers(image).find(({ direct, machineId, diskId }) => direct && !isReadOnly(image, machineId, diskId))
  return writer === undefined ? null : isOn(writer, 'and writes to it')
}

function openNow(image: KnownImage): string | null {
  const user = liveUsers(image)[0]
  return user === undefined ? null : isOn(user, user.direct ? 'and has it open' : 'and reads from it')
}

function runningButNotHere(image: KnownImage): string | null {
  const live = liveUsers(image)
  const other = live.find(({ machineId, diskId, direct }) => !direct || isReadOnly(image, machineId, diskId))
  if (other !== undefined) return isOn(other, 'and only reads it')
  return live.length > 1 ? 'Several machines that run have it open.' : null
}

function notResizable(image: KnownImage): string | null {
  const { format, readers, users, plugs } = image
  if (format !== 'qcow2' && format !== 'raw') return `A ${format ?? 'foreign'} image can’t be resized. Convert it to qcow2 first.`
  const snapshot = users.find(({ how, direct }) => how === 'snapshot' && direct)
  if (snapshot !== undefined) return `It belongs to the snapshot “${snapshot.snapshotName ?? 'that can’t be read'}” of “${snapshot.machineName}”, which is frozen. The disk’s top layer can be resized.`
  if (readers.length > 0) return 'Other images are based on it. The disk’s top layer can be resized.'
  const saved = users.find(({ how, state }) => how === 'saved' || state === 'saved')
  if (saved !== undefined) return `“${saved.machineName}” is saved to disk, and its memory knows the size as it is. Start it and shut it down, or discard its saved state.`
  const template = plugs.find(({ machine }) => machine.definition.template)
  return template === undefined ? null : `“${template.machine.definition.name}” is a template, which is frozen.`
}

/** What else needs the file where it is, or as it is. */
function notMovable(image: KnownImage): string | null {
  const { users, readers, plugs, internalSnapshots, snapshotBelow } = image
  const [plug] = plugs
  if (plug === undefined) return users.length === 0 ? 'It is no machine’s disk. Copy it, or move the file by other means.' : 'It is a layer that disks read through. The disk’s top layer can be moved.'
  if (plugs.length > 1) return 'It is the disk of several machines, or several disks of one.'
  const { machine, disk } = plug
  const snapshot = users.find(({ how, direct }) => how === 'snapshot' && direct)
  if (snapshot !== undefined) return `The snapshot “${snapshot.snapshotName ?? 'that can’t be read'}” of “${snapshot.machineName}” needs it where it is. Delete that snapshot first.`
  if (readers.length > 0) return `Another image is based on it: ${readers[0] ?? ''}`
  if (snapshotBelow !== null) return `The snapshot “${snapshotBelow}” holds an earlier state of this disk, which lies in the machine’s folder and is what the disk reads through. Delete the machine’s snapshots first, or leave the disk there.`
  if (machine.state === 'saved' || users.some(({ how }) => how === 'saved')) return `“${machine.definition.name}” is saved to disk, and its memory belongs to the disk where it is. Start it, then move the disk; or discard its saved state.`
  if (machine.definition.template) return `“${machine.definition.name}” is a template, which is frozen.`
  if (machine.run?.disposable === true) return `“${machine.definition.name}” is in a disposable run, which throws its changes away. Shut it down first.`
  if (internalSnapshots > 0) return 'It keeps snapshots within itself, which would be lost.'
  if (!isLive(machine.state)) return null
  if (disk.readOnly) return `“${machine.definition.name}” is ${stateInWords(machine.state)} and only reads it; such a disk is moved when the machine is off. Shut it down first.`
  if (process.platform === 'win32') return `“${machine.definition.name}” is ${stateInWords(machine.state)}; on Windows a disk is moved when its machine is off. Shut it down first.`
  return null
}

/** What keeps a disk from being written anew in place of itself. */
function notRewritable(image: KnownImage, wanted: 'encrypted' | 'not encrypted'): string | null {
  const [plug] = image.plugs
  const holder = otherHolder(image)
  if (plug !== undefined && holder !== null) return `${holder}, and would stay as it is. Make a full clone of “${plug.machine.definition.name}” that is ${wanted}; or delete what holds it first.`
  const why = openNow(image) ?? notMovable(image)
  if (why !== null || image.below === null) return why
  return `It reads from another image, whose content would stay as it is. Make a full clone that is ${wanted}; or make the machine independent if it is a linked clone, or delete its snapshots.`
}

/** What there is of a disk beside what it is now; null: nothing. */
function otherHolder({ users, readers, snapshotBelow }: KnownImage): string | null {
  const snapshot = users.find(({ how, direct }) => how === 'snapshot' && direct)?.snapshotName ?? snapshotBelow
  if (snapshot !== null) return `The snapshot “${snapshot}” holds a state of this disk`
  return readers[0] === undefined ? null : `Another image is based on it: ${readers[0]}`
}

function needed({ users, readers, plugs }: KnownImage): string | null {
  const user = users.find(({ direct }) => direct) ?? users[0]
  if (user !== undefined) {
    const what = user.how === 'snapshot' ? `The snapshot “${user.snapshotName ?? 'that can’t be read'}” of “${user.machineName}”` : user.how === 'saved' ? `The saved state of “${user.machineName}”` : `“${user.machineName}”`
    return `${what} needs it.`
  }
  if (plugs[0] !== undefined) return `“${plugs[0].machine.definition.name}” needs it.`
  return readers[0] === undefined ? null : `Another image is based on it: ${readers[0]}`
}

function isReadOnly({ plugs }: KnownImage, machineId: string, diskId: string | null): boolean {
  return plugs.some(({ machine, disk }) => machine.id === machineId && disk.id === diskId && disk.readOnly)
}

function isOn({ machineName, state }: ImageUser, does: string): string {
  return `“${machineName}” is ${stateInWords(state)} ${does}. Shut it down first.`
}
