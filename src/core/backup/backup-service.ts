import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { RingsideError, isRingsideError } from '@shared/errors'
import type { Backup, BackupFolder, BackupPolicy, BackupReference, BackupSet, BackupVerification, CreateBackup, ListBackups, RestoreBackup } from '@shared/model'
import type { Backups, JobReporter } from '../app/services'
import { shortId } from '../library'
import { clearLeftover } from '../library/temporary-folder'
import type { QemuImg } from '../engine/qemu'
import { backupIn, faultOf, findSet, readSet, readSets, setFolderOf, type StoredBackup, type StoredSet } from './backup-set'
import type { BackupContext } from './context'
import { createBackup, type Created } from './create'
import { type BackupPlace, freeBytesAt, markPlace, requirePlace } from './place'
import { finishRemovals, removeBackup, type Removal } from './remove'
import { restoreAsNew, restoreInPlace } from './restore'
import type { BackupWork as ScheduledWork } from './schedule'
import { verifyBackup } from './verify'

/** Backups of all machines of a library, in whatever folders. Each verb has a file of its own. */
export class BackupService implements Backups {
  /** One piece of work on a set after the other. */
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(private readonly context: BackupContext) {}

  /** Ends what a host that was killed has left at work. What it left in folders for backups goes with the next work there. */
  async start(): Promise<void> {
    const folder = this.context.temporaryFolder
    for (const name of await readdir(folder).catch(() => [])) {
      if (name.startsWith('stretch-')) await rm(join(folder, name), { force: true }).catch(() => undefined)
      else await clearLeftover(join(folder, name)).catch(() => undefined)
    }
  }

  async list({ folder, id }: ListBackups): Promise<BackupFolder> {
    const place = await this.#find(folder, id).catch((error: unknown) => {
      if (isRingsideError(error) && (error.code === 'FILE_NOT_FOUND' || error.code === 'FILE_UNREADABLE')) return error
      throw error
    })
    if (place instanceof RingsideError) return { folder: folder ?? this.#policyOf(id)?.folder ?? '', away: place.message, freeBytes: null, sets: [] }
    const sets = id === null ? await readSets(place.folder) : [await findSet(place.folder, id)].filter((set) => set !== null)
    return { folder: place.folder, away: null, freeBytes: await freeBytesAt(place.folder), sets: await Promise.all(sets.map((set) => this.#viewOf(set))) }
  }

  /** Throws what speaks against it already now: `KEY_REQUIRED`, `FILE_NOT_FOUND` while the folder is away, `INVALID_INPUT`. */
  async requirePossible({ id, folder }: Pick<CreateBackup, 'id' | 'folder'>): Promise<void> {
    await this.context.diskKey(id)
    await this.#find(folder, id)
  }

  async create({ id, folder, ...request }: CreateBackup, reporter: JobReporter): Promise<void> {
    await this.createOf(id, { folder, request, kind: 'manual', onlyIfChanged: false }, reporter)
  }

  /** @param how `onlyIfChanged`: none is made when nothing was written since the last one */
  async createOf(id: string, how: { folder: string | null; request: Omit<CreateBackup, 'id' | 'folder'>; kind: 'manual' | 'automatic'; onlyIfChanged: boolean }, reporter: JobReporter): Promise<Created> {
    const place = await this.#find(how.folder, id)
    const { machines } = this.context.snapshots
    const created = await this.#inTurn(`${place.folder}#${shortId(id)}`, () => machines.exclusively(id, { action: 'backUp', task: 'backUp', signal: reporter.signal }, (held) =>
      createBackup({ context: this.context, held, reporter, signal: held.signal }, place, how.request, how.kind, how.onlyIfChanged)))
    await this.#rememberPlace(id, how.folder, place)
    if (created !== 'unchanged' && how.request.verify) {
      const { faults } = await this.#inTurn(`${place.folder}#${shortId(id)}`, async () => this.#verify(created.set, created.backup, await this.context.snapshots.imageTool(), reporter))
      requireSound(faults)
    }
    return created
  }

  async verify({ folder, set, backupId }: BackupReference, reporter: JobReporter): Promise<void> {
    await this.#withSet(folder, set, reporter, async (found, tool) => {
      const { faults } = await this.#verify(found, backupIn(found, backupId), tool, reporter)
      requireSound(faults)
      reporter.note?.('Everything in it is what was written.')
    })
  }

  #verify(set: StoredSet, backup: StoredBackup, tool: QemuImg, reporter: JobReporter): Promise<BackupVerification> {
    return verifyBackup({ tool, set, temporaryFolder: this.context.temporaryFolder, signal: reporter.signal, report: (fraction, step) => { reporter.report(fraction, step) } }, backup)
  }

  async delete({ folder, set, backupId }: BackupReference, reporter: JobReporter): Promise<void> {
    await this.#withSet(folder, set, reporter, async (found, tool) => {
      reporter.report(null, 'Deleting the backup')
      const isFreed = await removeBackup(this.#removal(found, tool, reporter), backupIn(found, backupId))
      if (!isFreed) reporter.note?.('Encrypted backups go on from it: its space is given back when the last of these is deleted.')
    })
  }

  /** Resolves to the machine that it became. */
  async restore({ folder, set, backupId, target }: RestoreBackup, reporter: JobReporter): Promise<string> {
    return this.#withSet(folder, set, reporter, async (found, tool) => {
      const backup = backupIn(found, backupId)
      const restoring = { context: this.context, tool, set: found, backup, reporter, signal: reporter.signal }
      reporter.report(null, 'Looking at the backup')
      if (target.kind === 'new') return restoreAsNew(restoring, target)
      const { id } = backup.manifest.definition
      await this.context.snapshots.machines.exclusively(id, { action: 'restore', task: 'restore', signal: reporter.signal }, (held) =>
        restoreInPlace({ context: this.context, held, reporter, signal: held.signal }, { ...restoring, signal: held.signal }, target))
      return id
    })
  }

  /** The machine that a backup is of. Throws `NOT_FOUND` */
  async machineOf({ folder, set, backupId }: BackupReference): Promise<{ id: string; name: string }> {
    const place = await requirePlace(folder, null, this.context.dataFolder)
    const { id, name } = backupIn(await readSet(place.folder, set), backupId).manifest.definition
    return { id, name }
  }

  async setPolicy(id: string, policy: BackupPolicy | null): Promise<void> {
    let folderId: string | null = null
    if (policy !== null) {
      const before = this.#policyOf(id)
      const place = await requirePlace(policy.folder, before?.folder === policy.folder ? before.folderId : null, this.context.dataFolder)
      folderId = await this.#inTurn(place.folder, () => markPlace(place))
    }
    await this.context.snapshots.library.update(id, (definition) => ({ ...definition, backupPolicy: policy === null ? null : { ...policy, folderId } }))
  }

  /** What the schedule has done. */
  scheduledWork(): ScheduledWork {
    const policyOf = (id: string): BackupPolicy => {
      const policy = this.#policyOf(id)
      if (policy === null) throw new RingsideError('NOT_FOUND', 'Nobody has said any more where the backups of this machine go.')
      return policy
    }
    const setOf = async (id: string): Promise<StoredSet | null> => findSet((await this.#find(null, id)).folder, id)
    return {
      backups: async (id) => (await setOf(id))?.backups.map(({ manifest: { id: backupId, takenAt, kind } }) => ({ id: backupId, takenAt, kind })) ?? [],
      requirePossible: (id) => this.requirePossible({ id, folder: null }),
      create: async (id, { compress, quiesce, verify }, reporter) => {
        await this.createOf(id, { folder: null, request: { full: false, compress, quiesce, verify }, kind: 'automatic', onlyIfChanged: true }, reporter)
      },
      delete: async (id, backupId, reporter) => {
        const set = await setOf(id)
        if (set !== null) await this.delete({ folder: policyOf(id).folder, set: set.set, backupId }, reporter)
      },
    }
  }

  #policyOf(id: string | null): BackupPolicy | null {
    return id === null ? null : this.context.snapshots.library.get(id).definition.backupPolicy
  }

  #find(folder: string | null, id: string | null): Promise<BackupPlace> {
    const policy = this.#policyOf(id)
    const path = folder ?? policy?.folder ?? null
    if (path === null) throw new RingsideError('INVALID_INPUT', 'It is not said where the backups are.', { hint: 'Name a folder.', issues: [{ path: 'folder', message: 'Name a folder.', severity: 'error' }] })
    return requirePlace(path, path === policy?.folder ? policy.folderId : null, this.context.dataFolder)
  }

  /** The first folder that a machine is backed up to is where its backups are from then on. */
  async #rememberPlace(id: string, asked: string | null, place: BackupPlace): Promise<void> {
    const folderId = await this.#inTurn(place.folder, () => markPlace(place)).catch(() => null)
    if (asked === null || this.#policyOf(id) !== null) return
    await this.context.snapshots.library.update(id, (definition) => definition.backupPolicy !== null ? definition : {
      ...definition, backupPolicy: { folder: place.folder, folderId, every: null, keep: { hourly: 0, daily: 7, weekly: 4 }, compress: true, quiesce: true, verify: false },
    })
  }

  #removal(set: StoredSet, tool: QemuImg, reporter: JobReporter): Removal {
    return { tool, set, temporaryFolder: this.context.temporaryFolder, signal: reporter.signal, report: (step) => { reporter.report(null, step) }, atStep: this.context.atStep }
  }

  /** A set on which nothing was left half done. */
  async #withSet<T>(folder: string, set: string, reporter: JobReporter, work: (set: StoredSet, tool: QemuImg) => Promise<T>): Promise<T> {
    const place = await requirePlace(folder, null, this.context.dataFolder)
    setFolderOf(place.folder, set)
    return this.#inTurn(`${place.folder}#${set.slice(set.lastIndexOf('-') + 1)}`, async () => {
      const tool = await this.context.snapshots.imageTool()
      // A folder that can only be read is read all the same.
      await finishRemovals(this.#removal(await readSet(place.folder, set), tool, reporter)).catch((error: unknown) => {
        if (!isRingsideError(error, 'FILE_UNREADABLE')) throw error
      })
      return work(await readSet(place.folder, set), tool)
    })
  }

  async #viewOf(set: StoredSet): Promise<BackupSet> {
    const newest = set.backups.at(-1)?.manifest.definition
    const machine = { id: newest?.id ?? '', name: newest?.name ?? set.set }
    const here = this.context.snapshots.library.list().some(({ definition }) => definition.id === machine.id)
    return { set: set.set, machine, isHere: here, backups: await Promise.all(set.backups.map((backup) => viewOf(set, backup))), problems: [...set.problems] }
  }

  #inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#turns.get(key) ?? Promise.resolve()).then(work)
    const settled = done.catch(() => undefined).then(() => { if (this.#turns.get(key) === settled) this.#turns.delete(key) })
    this.#turns.set(key, settled)
    return done
  }
}

function requireSound(faults: readonly string[]): void {
  const [first] = faults
  if (first === undefined) return
  throw new RingsideError('IMAGE_DAMAGED', `The backup is damaged. ${first}`, { hint: 'Others that do not go on from it are not harmed. Make a full backup, and check the drive.', issues: faults.map((message) => ({ path: '', message, severity: 'error' as const })) })
}

async function viewOf(set: StoredSet, backup: StoredBackup): Promise<Backup> {
  const { id, parentId, takenAt, kind, machineState, quiesced, pauseMs, notes, disks, files, definition } = backup.manifest
  return {
    id, parentId, takenAt, kind, machineState, quiesced, pauseMs, notes, machineName: definition.name,
    sizeBytes: [...disks, ...files].reduce((sum, { bytes }) => sum + bytes, 0), virtualBytes: disks.reduce((sum, { virtualBytes }) => sum + virtualBytes, 0),
    disks: disks.map(({ key, incremental, reason, bytes, virtualBytes, encrypted, contentSha256 }) => ({ key, incremental, reason, bytes, virtualBytes, encrypted, contentSha256 })),
    verified: backup.verified, fault: await faultOf(set, backup),
  }
}
