import { randomBytes } from 'node:crypto'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { RingsideError } from '@shared/errors'
import type { BackupDisk, BackupManifest, MachineDefinition, RestoreBackup } from '@shared/model'
import type { JobReporter } from '../app/services'
import { fileError, isDiskFull, syncFolder } from '../config'
import { newIdentity, requireFreeName } from '../clone/identity'
import { copyLargeFile, newDiskOptions } from '../creation'
import { nvramLayer } from '../engine/engine'
import type { QemuImg } from '../engine/qemu'
import { readKeyFile } from '../encryption/key-file'
import { firstNvramPath, keyFileName, noteHelper, ownDiskPath, tpmLayerPath } from '../library'
import { forgetCrash } from '../machine/last-run'
import { look } from '../snapshot/context'
import { withTpmState } from '../snapshot/definition-layers'
import { layerPath, syncFile } from '../snapshot/overlays'
import { take } from '../snapshot/take'
import { removeUnnamed } from '../snapshot/unnamed'
import { inFolder, survey } from '../snapshot/survey'
import { namesOf } from '../snapshot/names'
import { bytesInWords } from '../storage'
import { contentHash, hashDisk } from './block-hashes'
import { chainOf, type StoredBackup, type StoredSet } from './backup-set'
import type { BackupContext, BackupWork } from './context'
import { copyEncrypted, type EncryptedFile, encryptedFiles, hasKeyOf } from './encrypted'
import { hashFile } from './file-hash'
import { freeBytesAt } from './place'
import { isBackedUp } from './sources'

type Target<K> = Extract<RestoreBackup['target'], { kind: K }>

/** A backup, and where its disks are written. */
interface Restoring {
  readonly context: BackupContext
  readonly tool: QemuImg
  readonly set: StoredSet
  readonly backup: StoredBackup
  readonly reporter: JobReporter
  readonly signal: AbortSignal
}

/** Makes a new machine of a backup: whole or not at all. Resolves to its id. Throws `NAME_TAKEN`, `IMAGE_DAMAGED`, `DISK_FULL`, `CANCELLED` */
export async function restoreAsNew(restoring: Restoring, { name, sameIdentity }: Target<'new'>): Promise<string> {
  const { context, backup: { manifest } } = restoring
  const { library, createdBy } = context.snapshots
  requireFreeName(library, name)
  const { definition } = manifest
  const isGone = !library.list().some((machine) => machine.definition.id === definition.id)
  if (sameIdentity && !isGone) throw new RingsideError('ILLEGAL_STATE', `The machine that this is a backup of is in the library still.`, { hint: 'Restore it in that machine’s place, or as a new one with an identity of its own.' })
  const identity = newIdentity(library, name, definition, createdBy)
  const made: MachineDefinition = {
    ...definition, name, createdAt: identity.createdAt, createdBy, origin: null, template: false, snapshotParentId: null,
    ...(sameIdentity ? {} : {
      id: identity.id, snapshotPolicy: null, backupPolicy: null,
      nics: definition.nics.map((nic, index) => ({ ...nic, macAddress: identity.macAddresses[index] ?? nic.macAddress })),
    }),
  }
  const layers = await encryptedLayers(restoring)
  await library.add(made, async (paths) => {
    await requireRoom(restoring, paths.folder, layers)
    const note = (pid: number): Promise<void> => noteHelper(paths.folder, pid).catch(() => undefined)
    await writeDisks(restoring, (key) => (key === nvramLayer ? firstNvramPath : ownDiskPath(`${key}.qcow2`)), paths.folder, layers, note)
    await writeFiles(restoring, paths.folder)
    await context.atStep('backup:restored')
  })
  if (layers.size > 0) restoring.reporter.note?.('Its passphrase is the one that the machine had when it was backed up.')
  await context.snapshots.machines.settled(made.id)
  return made.id
}

/**
 * Puts a backup in the place of what a machine is now, which the caller holds and which is off. Until the disks of the backup are whole and checked, the machine is what it was. What it was then
 * is kept as a snapshot, where that was asked for, or goes to the trash.
 */
export async function restoreInPlace(work: BackupWork, restoring: Restoring, { keepPresent }: Target<'same'>): Promise<void> {
  const { context, held, reporter, signal } = work
  const { backup: { manifest, id } } = restoring
  const layers = await encryptedLayers(restoring)
  const lock = layers.size === 0 ? null : await lockFor(work, restoring.backup)
  const snapshotWork = { context: context.snapshots, held, reporter, signal }
  if (keepPresent !== null) await take(snapshotWork, { name: keepPresent, description: 'The machine before a backup of it was restored.', memory: false, quiesce: false }, 'manual')
  const before = await look(snapshotWork)
  const tag = randomBytes(4).toString('hex')
  const keys = manifest.disks.map(({ key }) => key)
  const tops = Object.fromEntries(keys.map((key) => [key, layerPath(key, tag)]))
  const { tpm } = manifest.definition
  const tpmState = tpm === null ? null : tpmLayerPath(tpm.state, tag)
  const placeOf = (path: string): string => (tpm !== null && tpmState !== null && path.startsWith(`${tpm.state}/`) ? `${tpmState}${path.slice(tpm.state.length)}` : path)
  const lowerLayers = Object.fromEntries([...layers].flatMap(([key, { lower }]) => lower.map((own, index) => [`${key}#${String(index)}`, own])))
  try {
    await requireRoom(restoring, before.folder, layers)
    await Promise.all(['disks', 'firmware'].map((part) => mkdir(join(before.folder, part), { recursive: true, mode: 0o700 })))
    await writeDisks(restoring, (key) => tops[key] ?? '', before.folder, layers, () => Promise.resolve())
    for (const part of ['disks', 'firmware']) await syncFolder(join(before.folder, part))
    await writeFiles(restoring, before.folder, placeOf, lock === 'kept' ? [keyFileName] : [])
    await context.atStep('backup:restored')
    signal.throwIfAborted()
    await context.snapshots.library.update(held.id, (today) => withTpmState(inPlace(today, manifest, tops), tpmState))
  } catch (error) {
    await removeUnnamed(held.stored.paths, { ...tops, ...lowerLayers }, tpmState).catch((failed: unknown) => { held.log('restore.leftovers', { message: (failed as Error).message }) })
    throw error
  }
  await context.atStep('backup:definition-changed')
  held.log('restored', { backup: id, set: restoring.set.folder })
  await forgetCrash(held.stored.paths)
  await held.refresh()
  await discardPresent(work, before)
}

/**
 * What becomes of the machine's lock: it stays, with the passphrase that it has today, where it holds the key of the backup; a machine that has none gets that of the backup.
 * Throws `ILLEGAL_STATE` for a machine that has another key: nothing would open its snapshots any more.
 */
async function lockFor({ held: { stored: { definition, paths } } }: BackupWork, backup: StoredBackup): Promise<'kept' | 'restored'> {
  if ((await readKeyFile(paths.keyFile)) === null) return 'restored'
  if (await hasKeyOf(backup, paths.keyFile)) return 'kept'
  throw new RingsideError('ILLEGAL_STATE', `The disks of “${definition.name}” are encrypted with another key than they were when it was backed up.`, { hint: 'Restore the backup as a new machine.' })
}

/** The encrypted disks of a backup, by key. */
type EncryptedLayers = ReadonlyMap<string, { readonly files: readonly EncryptedFile[]; /** Where those below the first come to be, from the machine's folder. */ readonly lower: readonly string[] }>

async function encryptedLayers({ set, backup }: Restoring): Promise<EncryptedLayers> {
  const layers = new Map<string, { files: EncryptedFile[]; lower: string[] }>()
  for (const disk of backup.manifest.disks.filter(({ encrypted }) => encrypted)) {
    const files = await encryptedFiles(set, backup.id, disk)
    layers.set(disk.key, { files, lower: files.slice(1).map(() => layerPath(disk.key, randomBytes(4).toString('hex'))) })
  }
  return layers
}

/** Hardware and disks are those of the backup; who the machine is does not change. */
function inPlace(today: MachineDefinition, { definition }: BackupManifest, tops: Readonly<Record<string, string>>): MachineDefinition {
  const { name, notes, origin, snapshotPolicy, backupPolicy, createdAt, createdBy } = today
  const { firmware } = definition
  const nvram = tops[nvramLayer]
  return {
    ...definition, id: today.id, name, notes, origin: origin?.kind === 'linked' ? null : origin, snapshotPolicy, backupPolicy, createdAt, createdBy, template: false, snapshotParentId: null,
    disks: definition.disks.map((disk) => {
      const path = tops[disk.id]
      return isBackedUp(disk) && path !== undefined ? { ...disk, image: { kind: 'own' as const, path } } : disk
    }),
    firmware: firmware.type === 'uefi' ? { ...firmware, nvram: nvram ?? layerPath(nvramLayer, randomBytes(4).toString('hex')) } : firmware,
  }
}

/** What the machine was goes to the trash, but for what snapshots need. What can't go there stays, and is listed as left over. */
async function discardPresent({ context, held, reporter }: BackupWork, before: Awaited<ReturnType<typeof look>>): Promise<void> {
  try {
    const now = await survey(context.snapshots, held.stored)
    const names = namesOf(now, null)
    const used = new Set(names.all().flatMap((own) => [...now.graph.downFrom(now.graph.own(own)?.path ?? '')].map(({ path }) => path)))
    const { trash } = context.snapshots
    for (const own of presentFiles(before)) {
      const path = inFolder(now, own)
      if (used.has(path) || now.outside.some(({ reads }) => reads === path) || now.graph.own(own) === null) continue
      if (trash === null) reporter.note?.(`What the machine was before is kept, since there is no trash: ${path}`)
      else await trash(path).catch((error: unknown) => { reporter.note?.(`What the machine was before is kept: ${path} (${(error as Error).message})`) })
    }
  } catch (error) {
    held.log('restore.leftovers', { message: (error as Error).message })
  }
}

/** The layers that the machine alone had. */
function presentFiles({ stored, graph }: Awaited<ReturnType<typeof look>>): string[] {
  const { disks, firmware } = stored.definition
  const tops = [...disks.flatMap(({ image }) => (image.kind === 'own' ? [image.path] : [])), ...(firmware.type === 'uefi' ? [firmware.nvram] : [])]
  return [...new Set(tops.flatMap((own) => [...graph.downFrom(graph.own(own)?.path ?? '')].flatMap((layer) => (layer.own === null ? [] : [layer.own]))))]
}

async function requireRoom({ tool, backup }: Restoring, folder: string, layers: EncryptedLayers): Promise<void> {
  let needed = 0
  for (const { key } of backup.manifest.disks) needed += layers.get(key)?.files.reduce((sum, { bytes }) => sum + bytes, 0) ?? (await tool.measure(backup.files.disk(key), 'qcow2', 'qcow2')).requiredBytes
  const free = await freeBytesAt(folder)
  if (free === null || needed <= free) return
  throw new RingsideError('DISK_FULL', `The restored machine needs ${bytesInWords(needed)}, and where the library lies ${bytesInWords(free)} are free; ${bytesInWords(needed - free)} are missing.`, { path: folder, hint: 'Free some space there; nothing was changed.' })
}

/** Writes every disk, and compares each with what was backed up. @param ownPathOf where each comes to be, from the machine's folder */
async function writeDisks(restoring: Restoring, ownPathOf: (key: string) => string, folder: string, layers: EncryptedLayers, onStarted: (pid: number) => Promise<void>): Promise<void> {
  const { tool, set, backup, reporter, signal } = restoring
  const { disks } = backup.manifest
  const total = disks.reduce((sum, { virtualBytes }) => sum + virtualBytes, 1)
  let done = 0
  for (const disk of disks) {
    const pathOf = (own: string): string => join(folder, ...own.split('/'))
    const target = pathOf(ownPathOf(disk.key))
    const layered = layers.get(disk.key)
    if (layered !== undefined) {
      const already = done
      await copyEncrypted(layered.files, [target, ...layered.lower.map(pathOf)], signal, (fraction) => { reporter.report((already + fraction * disk.virtualBytes) / total, `Restoring “${disk.key}”`) })
      done += disk.virtualBytes
      continue
    }
    await chainOf(set, backup.id, disk)
    let noted: Promise<void> = Promise.resolve()
    await tool.convert({
      source: backup.files.disk(disk.key), sourceFormat: 'qcow2', target, targetFormat: 'qcow2', options: newDiskOptions, signal,
      onProgress: (fraction) => { reporter.report((done + fraction * 0.7 * disk.virtualBytes) / total, `Restoring “${disk.key}”`) },
      onStarted: (pid) => { noted = onStarted(pid) },
    }).finally(() => noted).catch((error: unknown) => { throw isDiskFull(error) ? fileError({ code: 'ENOSPC' }, target, 'written') : error })
    await syncFile(target)
    await compare(restoring, disk, target, (fraction) => { reporter.report((done + (0.7 + fraction * 0.3) * disk.virtualBytes) / total, `Comparing “${disk.key}” with its checksums`) })
    done += disk.virtualBytes
  }
}

async function compare({ tool, context, signal, backup }: Restoring, disk: BackupDisk, path: string, onProgress: (fraction: number) => void): Promise<void> {
  const blocks = await hashDisk({ tool, image: { path, format: 'qcow2' }, virtualBytes: disk.virtualBytes, base: null, temporaryFolder: context.temporaryFolder, onProgress, signal })
  if (contentHash(blocks) === disk.contentSha256) return
  throw new RingsideError('IMAGE_DAMAGED', `“${disk.key}” does not hold what it held when it was backed up; nothing was restored: ${backup.files.folder}`, { path: backup.files.folder, hint: 'Verify the backups, and restore one that is sound.' })
}

/**
 * @param placeOf where each comes to be, from the machine's folder
 * @param kept those that the machine has, and keeps
 */
async function writeFiles({ backup, signal }: Restoring, folder: string, placeOf: (path: string) => string = (path) => path, kept: readonly string[] = []): Promise<void> {
  for (const { file, path, sha256 } of backup.manifest.files.filter((one) => !kept.includes(one.path))) {
    const from = join(backup.files.folder, file)
    const to = join(folder, ...placeOf(path).split('/'))
    if ((await hashFile(from, signal)).sha256 !== sha256) throw new RingsideError('IMAGE_DAMAGED', `The file “${path}” is not what was backed up: ${from}`, { path: from, hint: 'Restore another backup.' })
    await mkdir(dirname(to), { recursive: true, mode: 0o700 })
    const partial = `${to}.restoring`
    await rm(partial, { force: true })
    await copyLargeFile(from, partial, () => undefined, signal)
    await rename(partial, to)
    await syncFolder(dirname(to))
  }
}
