import { join } from 'node:path'
import type { Backup, BackupFolder, BackupReference, CreateBackup, MachineView, RestoreBackup } from '@shared/model'
import { machineFolderName } from '@core/library'
import type { HostCalls } from './host-calls'
import { digests, readDisks, type Content } from './sound-machine'

/** Whether each disk of a backup goes on from the one before. */
export const kinds = ({ disks }: Backup): boolean[] => disks.map(({ incremental }) => incremental)

/** One machine of a host, and a folder that its backups go to. */
export class BackupBench {
  #restored = 0

  /** @param name of the machine */
  constructor(readonly calls: HostCalls, readonly id: string, readonly name: string, readonly folder: string) {}

  get machine(): Promise<MachineView> {
    return this.calls.machines.get(this.id)
  }

  /** Where the backups of the machine lie. */
  get set(): string {
    return machineFolderName(this.name, this.id)
  }

  fileOf({ id }: Backup, name: string): string {
    return join(this.folder, this.set, id, name)
  }

  async list(): Promise<Backup[]> {
    return (await this.all()).sets.flatMap(({ backups }) => backups)
  }

  all(): Promise<BackupFolder> {
    return this.calls.backups.list({ folder: this.folder, id: this.id })
  }

  /** Begins one, as `backUp` does. */
  begin(changes: Partial<CreateBackup> = {}, calls: HostCalls = this.calls): Promise<void> {
    return calls.backups.create({ id: this.id, folder: this.folder, full: false, compress: true, quiesce: true, verify: false, ...changes })
  }

  async backUp(changes: Partial<CreateBackup> = {}): Promise<Backup> {
    await this.begin(changes)
    const newest = (await this.list()).at(-1)
    if (newest === undefined) throw new Error('There is no backup.')
    return newest
  }

  reference({ id }: Backup): BackupReference {
    return { folder: this.folder, set: this.set, backupId: id }
  }

  restore(backup: Backup, target: RestoreBackup['target'], calls: HostCalls = this.calls): Promise<string> {
    return calls.backups.restore({ ...this.reference(backup), target })
  }

  /** What a backup's disks hold, restored into a machine of its own. */
  async restored(backup: Backup): Promise<Record<string, Buffer>> {
    this.#restored += 1
    return this.contentOf(await this.restore(backup, { kind: 'new', name: `${this.name} restored ${String(this.#restored)}`, sameIdentity: false }))
  }

  /** What the disks hold now; of a guest that runs only while it is paused. */
  async contentOf(id = this.id): Promise<Record<string, Buffer>> {
    const { definition, folder } = await this.calls.machines.get(id)
    return readDisks(folder, definition)
  }

  /** A backup of the paused guest, and what its disks hold at that instant. */
  async pausedBackup(): Promise<{ backup: Backup; content: Content }> {
    const { machines } = this.calls
    await machines.pause(this.id)
    const content = digests(await this.contentOf())
    const backup = await this.backUp()
    await machines.resume(this.id)
    return { backup, content }
  }

  /** Path of a disk's own layer. */
  async diskPath(key: string): Promise<string> {
    const { definition, folder } = await this.machine
    const image = definition.disks.find(({ id }) => id === key)?.image
    return image?.kind === 'own' ? join(folder, image.path) : image?.path ?? ''
  }
}
