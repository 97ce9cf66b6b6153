import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RingsideError, isRingsideError } from '@shared/errors'
import { type BackupDisk, type BackupFile, type BackupManifest, backupSchemaVersion, type CreateBackup, type MachineDefinition } from '@shared/model'
import { fileError, isDiskFull, makeFolder, syncFolder } from '../config'
import { copyLargeFile } from '../creation'
import { type BackupDiskOrder, type BackupTaken, markOf, nvramLayer, type TrackedDisk } from '../engine/engine'
import { OfflineDisks, type QemuImg } from '../engine/qemu'
import { allocatedBytes, backupBacking, backupDiskName, backupFiles, type BackupFiles, imagePath, machineFolderName, partialBackupName } from '../library'
import { makeTemporaryFolder, noteHelper, removeMark } from '../library/temporary-folder'
import { syncFile } from '../snapshot/overlays'
import { bytesInWords } from '../storage'
import { type Base, findBase } from './base'
import { contentHash, hashDisk } from './block-hashes'
import { findSet, readSet, type StoredBackup, type StoredSet, writeManifest } from './backup-set'
import type { BackupWork } from './context'
import { hashFile } from './file-hash'
import { finishRemovals } from './remove'
import { type BackupPlace, freeBytesAt, onSameDrive } from './place'
import { backupDefinition, encryptedKeys, liveDisks, offlineDisks, otherFiles, presentDefinition } from './sources'

/** Guests whose file systems are held still longer than this begin to fail: services of Windows give up after ten seconds (VSS). */
const freezeMs = 10_000
/** Marks that a disk keeps: one for each of the folders that its backups go to in turn. */
const keptMarks = 4
/** Clusters as large as the stretches in which writes are noted. */
const backupOptions = ['cluster_size=64k']
/** Room on the library's drive that is left to guests. Bytes. */
const margin = 2 ** 30

/** One disk that is copied. */
interface Copy {
  readonly key: string
  readonly disk: TrackedDisk
  readonly encrypted: boolean
  readonly base: Extract<ReturnType<Base['disks']['get']>, object> | null
  /** Why it is whole, although there is a backup before. */
  readonly reason: string | null
  /** Where QEMU writes it, and where it is to be. */
  readonly staged: string
  readonly target: string
}

/** A backup that is being made. */
interface Making extends BackupWork {
  readonly tool: QemuImg
  readonly request: Omit<CreateBackup, 'id' | 'folder'>
  readonly id: string
  readonly set: StoredSet
  readonly files: BackupFiles
  readonly wasLive: boolean
  /** Its guest was not paused. */
  readonly ran: boolean
  /** Of the encrypted disks. */
  readonly key: string | null
}

/** What a backup came to; `unchanged`: there was nothing new, and none was made. */
export type Created = { readonly backup: StoredBackup; readonly set: StoredSet } | 'unchanged'

/**
 * Backs up a machine that the caller holds, in any state. The backup is there as a whole when this resolves; when this throws or is cut off there is none, earlier ones are what they were, and
 * the machine is and does what it was and did.
 * Throws `FILE_NOT_FOUND` (the folder is away), `KEY_REQUIRED`, `DISK_FULL`, `CANCELLED`, and what speaks against a disk.
 * @param onlyIfChanged make none when nothing was written since the last one
 */
export async function createBackup(work: BackupWork, place: BackupPlace, request: Making['request'], kind: BackupManifest['kind'], onlyIfChanged: boolean): Promise<Created> {
  const { context, held, reporter } = work
  reporter.report(null, 'Looking at the disks')
  const { definition: { id: machineId, name } } = held.stored
  const key = await context.diskKey(machineId)
  const set = await openSet(place.folder, machineId, name)
  const tool = await context.snapshots.imageTool()
  await finishRemovals({ tool, set, temporaryFolder: context.temporaryFolder, signal: work.signal, report: (step) => { reporter.report(null, step) }, atStep: context.atStep })
  const id = newId(set)
  const making: Making = { ...work, wasLive: held.live, ran: held.state === 'running', key, tool, request, id, set: await readSet(place.folder, set.set), files: backupFiles(set.folder, partialBackupName(id)) }
  try {
    await makeTemporaryFolder(making.files.folder).catch((error: unknown) => { throw fileError(error, making.files.folder, 'written') })
    const made = await make(making, kind, onlyIfChanged)
    if (made === null) return 'unchanged'
    held.log('backedUp', { id, folder: set.folder, incremental: made.parentId !== null, pauseMs: made.pauseMs })
    for (const note of made.notes) reporter.note?.(note)
    const now = await readSet(place.folder, set.set)
    const backup = now.backups.find((one) => one.id === id)
    if (backup === undefined) throw new RingsideError('INTERNAL', `The backup was made and is not there: ${set.folder}`)
    return { backup, set: now }
  } catch (error) {
    await clear(making)
    await goOn(making, error)
    throw explain(making, error)
  } finally {
    await clear(making)
  }
}

async function clear({ files, held, set }: Making): Promise<void> {
  await rm(files.folder, { recursive: true, force: true }).catch((error: unknown) => { held.log('backup.leftovers', { message: (error as Error).message }) })
  // A machine that has no backups has no folder for them either; one with anything in it stays.
  await rmdir(set.folder).catch(() => undefined)
}

/** QEMU stops a guest whose write finds no room. What took it is gone again. */
async function goOn({ held, ran }: Making, error: unknown): Promise<void> {
  if (!ran || !held.live || !isDiskFull(error)) return
  await held.command('resume', {}).catch((failed: unknown) => { held.log('backup.notResumed', { message: (failed as Error).message }) })
}

async function openSet(folder: string, machineId: string, name: string): Promise<StoredSet> {
  const known = await findSet(folder, machineId)
  if (known !== null) return known
  const set = machineFolderName(name, machineId)
  await mkdir(join(folder, set), { mode: 0o700 }).catch((error: unknown) => { throw fileError(error, join(folder, set), 'written') })
  await syncFolder(folder)
  return readSet(folder, set)
}

/** Later than every other, also when the clock was put back: what goes on from another is told by its name. */
function newId({ backups, remains }: StoredSet): string {
  const chance = randomBytes(4).toString('hex')
  const at = (date: Date): string => `${date.toISOString().replace(/[-:]|\.\d+/gu, '')}-${chance}`
  const last = [...backups, ...remains].map(({ id }) => id).sort().at(-1) ?? ''
  const now = at(new Date())
  if (now > last) return now
  const [, y = '', mo = '', d = '', h = '', mi = '', s = ''] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/u.exec(last) ?? []
  return at(new Date(Date.UTC(Number(y), Number(mo) - 1, Number(d), Number(h), Number(mi), Number(s) + 1)))
}

async function make(making: Making, kind: BackupManifest['kind'], onlyIfChanged: boolean): Promise<BackupManifest | null> {
  const { context, held, reporter, signal, files, id } = making
  const definition = presentDefinition(making)
  const state = held.state
  const copied = held.live ? await copyRunning(making, definition, onlyIfChanged) : await copyOff(making, definition, onlyIfChanged)
  if (copied === null) return null
  const { copies, taken } = copied
  await context.atStep('backup:copied')
  // First, as near to the instant as it can be.
  const others = await copyFiles(making, definition)
  const disks: BackupDisk[] = []
  for (const copy of copies) disks.push(await complete(making, copy))
  await context.atStep('backup:hashed')
  const parentId = disks.some(({ incremental }) => incremental) ? (making.set.backups.at(-1)?.id ?? null) : null
  const notes = [...taken.notes, ...notesOf(copies, definition, state)]
  const manifest: BackupManifest = {
    schemaVersion: backupSchemaVersion, createdBy: context.snapshots.createdBy, id, parentId, takenAt: taken.takenAt, kind, machineState: state, definition: backupDefinition(definition),
    quiesced: taken.quiesced, pauseMs: taken.pauseMs, notes, disks, files: others,
  }
  await writeManifest(files, manifest)
  await context.atStep('backup:recorded')
  signal.throwIfAborted()
  reporter.report(null, 'Finishing')
  await removeMark(files.folder)
  await syncFolder(files.folder)
  const { folder } = backupFiles(making.set.folder, id)
  await rename(files.folder, folder).catch((error: unknown) => { throw fileError(error, folder, 'written') })
  await syncFolder(making.set.folder)
  await context.atStep('backup:named')
  return manifest
}

function notesOf(copies: readonly Copy[], { disks }: MachineDefinition, state: BackupManifest['machineState']): string[] {
  const whole = copies.filter(({ reason, key }) => reason !== null && key !== nvramLayer).map(({ key, reason }) => `“${key}” was backed up whole. ${reason ?? ''}`)
  const left = disks.filter(({ readOnly, image }) => readOnly && image.kind === 'external').map(({ id }) => `“${id}” lies outside the machine’s folder and is only read; it is no part of the backup.`)
  return [...whole, ...left, ...(state === 'saved' ? ['The memory of the saved guest is no part of the backup: restored, it starts as after a power cut.'] : [])]
}

/** What becomes of each disk. */
async function plan({ files, set, request, held }: Making, tracked: Readonly<Record<string, TrackedDisk>>, definition: MachineDefinition, stage: string): Promise<Copy[]> {
  const encrypted = encryptedKeys(definition)
  const base = request.full ? null : await findBase(set, tracked, encrypted, held.stored.paths.keyFile)
  return Object.entries(tracked).map(([key, disk]) => {
    const found = base?.disks.get(key) ?? null
    const target = files.disk(key)
    held.log('backup.disk', { key, goesOn: typeof found === 'object' && found !== null, reason: typeof found === 'string' ? found : null })
    return { key, disk, encrypted: encrypted.has(key), base: typeof found === 'string' ? null : found, reason: typeof found === 'string' ? found : null, target, staged: join(stage, backupDiskName(key)) }
  })
}

function isUnchanged({ set }: Making, copies: readonly Copy[], definition: MachineDefinition): boolean {
  const last = set.backups.at(-1)
  if (last === undefined || copies.some(({ base }) => base === null || base.dirtyBytes > 0)) return false
  const plain = (one: MachineDefinition): string => JSON.stringify({ ...one, createdBy: '', name: '', notes: '', snapshotPolicy: null, backupPolicy: null })
  return plain(last.manifest.definition) === plain(backupDefinition(definition))
}

function orderOf({ request, id }: Making, { key, disk, encrypted, base, staged }: Copy): BackupDiskOrder {
  // QEMU does not do both.
  return { key, encrypted, target: staged, since: base?.since ?? null, track: disk.format === 'qcow2' && disk.writable ? markOf(id) : null, compress: request.compress && !encrypted }
}

async function makeTargets({ tool, key: diskKey, set }: Making, copies: readonly Copy[]): Promise<void> {
  const parent = set.backups.at(-1)
  for (const { staged, disk: { virtualBytes }, encrypted, base, key } of copies) {
    if (!encrypted) await tool.create(staged, 'qcow2', virtualBytes, backupOptions)
    else if (diskKey === null) throw new RingsideError('INTERNAL', `The disk “${key}” is encrypted, and there is no key for it.`)
    // It names what it goes on from at once, since nobody without the key could change that later.
    else await tool.createEncrypted({ path: staged, key: diskKey, virtualBytes, backing: base === null || parent === undefined ? null : { name: backupBacking(parent.id, key), format: 'qcow2' } })
  }
}

/** The marks that stay: that of this backup, the one that it went on from until the next, and the newest of others. */
function marksToKeep(id: string, copies: readonly Copy[]): string[] {
  const bases = copies.flatMap(({ base }) => (base === null ? [] : [base.since]))
  const others = copies.flatMap(({ disk }) => Object.keys(disk.marks)).sort().reverse()
  return [...new Set([markOf(id), ...bases, ...others])].slice(0, keptMarks)
}

/**
 * While a guest runs, its writes wait for what is copied before: that goes to the drive that its disks are on, and from there to the folder, which may be slow, or gone.
 */
async function copyRunning(making: Making, definition: MachineDefinition, onlyIfChanged: boolean): Promise<{ copies: Copy[]; taken: BackupTaken } | null> {
  const { context, held, request, files, reporter, signal, id } = making
  await makeFolder(context.temporaryFolder)
  const isNear = await onSameDrive(files.folder, held.stored.paths.folder)
  const stage = isNear ? files.folder : join(context.temporaryFolder, `backup-${id}`)
  if (!isNear) await makeTemporaryFolder(stage).catch((error: unknown) => { throw fileError(error, stage, 'written') })
  try {
    const { disks } = await held.command('trackedDisks', {})
    const copies = await plan(making, liveDisks(disks, definition), definition, stage)
    if (onlyIfChanged && isUnchanged(making, copies, definition)) return null
    await requireRoom(making, copies, isNear ? making.set.folder : context.temporaryFolder, definition, isNear)
    await makeTargets(making, copies)
    const taken = await held.command('takeBackup', { disks: copies.map((copy) => orderOf(making, copy)), freezeMs: request.quiesce && definition.guestAgent && held.state === 'running' ? freezeMs : null }, {
      signal, onProgress: (fraction) => { reporter.report(fraction === null ? null : fraction * 0.6, 'Copying the disks') },
    })
    await held.command('keepMarks', { marks: marksToKeep(id, copies) }).catch((error: unknown) => { held.log('backup.marks', { message: (error as Error).message }) })
    if (isNear) return { copies, taken }
    const sizes = await Promise.all(copies.map(({ staged }) => stat(staged).then(allocatedBytes)))
    await requireFree(making.set.folder, sizes.reduce((sum, bytes) => sum + bytes, 0))
    for (const { staged, target } of copies) {
      await copyLargeFile(staged, target, (fraction) => { reporter.report(0.6 + fraction * 0.2, 'Copying to the folder for backups') }, signal)
      await rm(staged, { force: true })
    }
    return { copies, taken }
  } finally {
    if (!isNear) await rm(stage, { recursive: true, force: true }).catch(() => undefined)
  }
}

async function copyOff(making: Making, definition: MachineDefinition, onlyIfChanged: boolean): Promise<{ copies: Copy[]; taken: BackupTaken } | null> {
  const { context, files, reporter, signal, id } = making
  const helper = join(context.temporaryFolder, `helper-${id}`)
  await makeFolder(context.temporaryFolder)
  await makeTemporaryFolder(helper).catch((error: unknown) => { throw fileError(error, helper, 'written') })
  await using cleaning = new AsyncDisposableStack()
  cleaning.defer(() => rm(helper, { recursive: true, force: true }))
  // Should this process be killed, whoever clears the folder away ends that one, which would keep the machine from starting.
  const disks = cleaning.use(await OfflineDisks.open(await context.qemuProgram(), await offlineDisks(making, definition), making.key, (pid) => noteHelper(helper, pid).catch(() => undefined)))
  const copies = await plan(making, await disks.tracked(), definition, files.folder)
  if (onlyIfChanged && isUnchanged(making, copies, definition)) return null
  await requireRoom(making, copies, making.set.folder, definition, true)
  await makeTargets(making, copies)
  const takenAt = new Date().toISOString()
  if (copies.length > 0) await disks.copy(copies.map((copy) => orderOf(making, copy)), (fraction) => { reporter.report(fraction === null ? null : fraction * 0.8, 'Copying the disks') }, signal)
  await disks.keepMarks(marksToKeep(id, copies))
  return { copies, taken: { takenAt, pauseMs: null, quiesced: false, notes: [] } }
}

/** Told now rather than after an hour of copying; what is compressed may take less. */
async function requireRoom({ request, held }: Making, copies: readonly Copy[], folder: string, definition: MachineDefinition, isTarget: boolean): Promise<void> {
  let needed = 0
  for (const { base, key, disk } of copies) {
    if (base !== null) needed += base.dirtyBytes
    else needed += Math.min(disk.virtualBytes, await usedBytes(held.stored.paths.folder, definition, key))
  }
  const free = await freeBytesAt(folder)
  if (free === null) return
  // Of what goes to the folder for backups nobody else is harmed; it is told when it really does not fit.
  const wanted = isTarget ? (request.compress ? needed / 4 : needed) : needed + margin
  if (wanted <= free) return
  throw new RingsideError('DISK_FULL', `The backup needs up to ${bytesInWords(needed)}, and ${bytesInWords(free)} are free there: ${folder}`, {
    path: folder, hint: isTarget ? 'Free some space there, or choose another folder.' : `While the machine runs, its backup is first kept beside its disks, with ${bytesInWords(margin)} left to guests. Free some space there, or shut the machine down for its first backup.`,
  })
}

async function usedBytes(folder: string, { disks, firmware }: MachineDefinition, key: string): Promise<number> {
  const image = disks.find(({ id }) => id === key)?.image ?? (firmware.type === 'uefi' ? { kind: 'own' as const, path: firmware.nvram } : null)
  if (image === null) return 0
  // Layers lie beside each other, and are named by their disk.
  if (image.kind === 'external') return stat(image.path).then(allocatedBytes, () => 0)
  const part = image.path.slice(0, image.path.lastIndexOf('/'))
  const names = await readdir(join(folder, part)).catch(() => [])
  const sizes = await Promise.all(names.filter((name) => name === image.path.slice(part.length + 1) || name.startsWith(`${key}.`)).map((name) => stat(join(folder, part, name)).then(allocatedBytes, () => 0)))
  return sizes.reduce((sum, bytes) => sum + bytes, 0)
}

async function requireFree(folder: string, needed: number): Promise<void> {
  const free = await freeBytesAt(folder)
  if (free === null || needed <= free) return
  throw new RingsideError('DISK_FULL', `The backup takes ${bytesInWords(needed)}, and ${bytesInWords(free)} are free in the folder for backups; ${bytesInWords(needed - free)} are missing: ${folder}`, {
    path: folder, hint: 'Free some space there, or choose another folder. Earlier backups are whole.',
  })
}

/** Says what a copied disk reads from, and takes its checksums. */
async function complete({ tool, files, set, context, reporter, signal }: Making, { key, disk, encrypted, base, reason, target }: Copy): Promise<BackupDisk> {
  const made = { key, file: backupDiskName(key), virtualBytes: disk.virtualBytes, incremental: base !== null, reason: base === null ? reason : null, encrypted }
  const parent = set.backups.at(-1)
  if (encrypted) {
    await syncFile(target)
    return { ...made, ...(await hashFile(target, signal)), contentSha256: null }
  }
  if (base !== null && parent !== undefined) await tool.relink(target, { name: backupBacking(parent.id, key), format: 'qcow2' })
  await syncFile(target)
  const blocks = await hashDisk({
    tool, image: { path: target, format: 'qcow2' }, virtualBytes: disk.virtualBytes, base: base?.blocks ?? null, temporaryFolder: context.temporaryFolder, signal,
    onProgress: (fraction) => { reporter.report(0.8 + fraction * 0.15, 'Taking checksums') },
  })
  await writeFile(files.blocks(key), blocks, { mode: 0o600, flush: true })
  return { ...made, ...(await hashFile(target, signal)), contentSha256: contentHash(blocks) }
}

async function copyFiles({ files, held, signal }: Making, definition: MachineDefinition): Promise<BackupFile[]> {
  const { folder } = held.stored.paths
  const copied: BackupFile[] = []
  for (const path of await otherFiles(folder, definition)) {
    const file = `file-${String(copied.length)}`
    await copyLargeFile(imagePath(folder, { kind: 'own', path }), join(files.folder, file), () => undefined, signal)
    copied.push({ file, path, ...(await hashFile(join(files.folder, file), signal)) })
  }
  return copied
}

function explain(making: Making, error: unknown): unknown {
  const { held, signal, set } = making
  const { name } = held.stored.definition
  if (signal.aborted) return new RingsideError('CANCELLED', `The backup of “${name}” was cancelled; nothing of it was kept.`, {}, { cause: error })
  if (making.wasLive && !held.live) return new RingsideError('ILLEGAL_STATE', `“${name}” went off while it was backed up; nothing of that backup was kept.`, { state: held.state, hint: 'Back it up again.' }, { cause: error })
  if (!isDiskFull(error)) return error
  if (isRingsideError(error, 'DISK_FULL')) return error
  return new RingsideError('DISK_FULL', `A drive became full while “${name}” was backed up; nothing of it was kept, and earlier backups are whole: ${set.folder}`, { path: set.folder, hint: 'Free some space, then try again.' }, { cause: error })
}
