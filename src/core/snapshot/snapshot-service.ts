import { constants } from 'node:fs'
import {
  type DefinitionDifference, type MachineAction, type MachineTask, type RevertRequest, type Snapshot, type SnapshotDeletePlan, type SnapshotKind, type SnapshotPlan, type SnapshotPolicy, type SnapshotTree, type TakeSnapshotRequest,
} from '@shared/model'
import { isRingsideError } from '@shared/errors'
import type { Disposer, JobReporter, MachineLibrary, Snapshots } from '../app/services'
import { openOwnFile } from '../config'
import type { QemuImg } from '../engine/qemu'
import { BackgroundWork } from './background'
import { changeSnapshot, viewOf } from './change'
import { cleanUp } from './clean-up'
import { compareDefinitions } from './compare'
import type { SnapshotContext, SnapshotMachines, Work } from './context'
import { convertDisks } from './convert-disks'
import { deleteSnapshots } from './delete'
import { planDelete } from './delete-plan'
import type { LayerReader } from './layer-file'
import { Manifests } from './manifest'
import { NamesInUse } from './names-in-use'
import { planSnapshot } from './plan'
import { revert } from './revert'
import type { SnapshotStep } from './steps'
import { type Survey, snapshotIn, survey } from './survey'
import { take } from './take'
import { buildTree } from './tree'

export interface SnapshotServiceOptions {
  readonly library: MachineLibrary
  readonly machines: SnapshotMachines
  /** The folder of the library. */
  readonly libraryFolder: string
  /** Remembers what it has read. */
  readonly layers: LayerReader
  /** Throws `QEMU_NOT_FOUND` while there is none. */
  readonly imageTool: () => Promise<QemuImg>
  /** Moves a file or folder to the trash; null: there is none. */
  readonly trash: ((path: string) => Promise<void>) | null
  /** Program and version, for `createdBy`. */
  readonly createdBy: string
  /** Awaited between the steps of everything that changes files: for tests of being cut off there. */
  readonly atStep?: (step: SnapshotStep) => Promise<void>
}

/** The snapshots of all machines of a library. Each verb has a file of its own; this one says what they may do when. */
export class SnapshotService implements Snapshots {
  /** For what else changes layers and snapshots. */
  readonly context: SnapshotContext
  readonly #listeners = new Set<(machineId: string) => void>()
  readonly #background: BackgroundWork

  constructor({ atStep, ...options }: SnapshotServiceOptions) {
    this.context = {
      ...options, manifests: new Manifests(), namesInUse: new NamesInUse(), atStep: atStep ?? (() => Promise.resolve()),
    }
    this.#background = new BackgroundWork(this.context, (id) => { this.changed(id) })
  }

  /** Begins to finish what an earlier host was asked for and could not. Everything else that is left over is only listed. */
  start(): void {
    this.#background.start()
  }

  /** Resolves when nothing is at work that nobody waits for. */
  idle(): Promise<void> {
    return this.#background.idle()
  }

  /** Stops what is at work in the background; it can be cut off anywhere. */
  close(): Promise<void> {
    return this.#background.close()
  }

  async tree(id: string): Promise<SnapshotTree> {
    const isBusy = this.context.machines.get(id).task !== null
    return buildTree(await this.look(id), this.context.library, { isBusy })
  }

  /** Everything that lies on the drive of a machine's snapshots now. */
  look(id: string): Promise<Survey> {
    return survey(this.context, this.context.library.get(id))
  }

  plan(id: string): Promise<SnapshotPlan> {
    return planSnapshot(this.context, id)
  }

  /** @param kind why it is taken */
  async take(id: string, request: TakeSnapshotRequest, reporter: JobReporter, kind: SnapshotKind = 'manual'): Promise<Snapshot> {
    const { id: snapshotId } = await this.#exclusively(id, 'takeSnapshot', 'snapshot', reporter, (work) => take(work, request, kind))
    return viewOf(this.context, await this.look(id), snapshotId)
  }

  async revert(id: string, request: RevertRequest, reporter: JobReporter): Promise<void> {
    await this.#exclusively(id, 'revert', 'revert', reporter, (work) => revert(work, request))
  }

  async change(id: string, snapshotId: string, change: { name?: string; description?: string }): Promise<Snapshot> {
    try {
      return await changeSnapshot(this.context, id, snapshotId, change)
    } finally {
      this.changed(id)
    }
  }

  deletePlan(id: string, snapshotId: string, options: { children: boolean }): Promise<SnapshotDeletePlan> {
    return planDelete(this.context, id, snapshotId, options)
  }

  delete(id: string, snapshotId: string, options: { children: boolean }, reporter: JobReporter): Promise<{ freedBytes: number }> {
    return this.#exclusively(id, 'deleteSnapshot', 'deleteSnapshot', reporter, (work) => deleteSnapshots(work, snapshotId, options))
  }

  async compare(id: string, snapshotId: string): Promise<DefinitionDifference[]> {
    const found = await this.look(id)
    return compareDefinitions(snapshotIn(found, snapshotId).manifest.definition, found.stored.definition)
  }

  async screen(id: string, snapshotId: string): Promise<Uint8Array | null> {
    const { files, hasScreen } = snapshotIn(await this.look(id), snapshotId)
    if (!hasScreen) return null
    const file = await openOwnFile(files.screen, constants.O_RDONLY).catch((error: unknown) => {
      if (isRingsideError(error, 'FILE_NOT_FOUND')) return null
      throw error
    })
    if (file === null) return null
    try {
      // Of a screen of any size; a file that is larger is no picture of ours.
      return (await file.stat()).size > maximumPictureBytes ? null : await file.readFile()
    } finally {
      await file.close()
    }
  }

  cleanUp(id: string, paths: readonly string[], options: { permanently: boolean }, reporter: JobReporter): Promise<{ freedBytes: number }> {
    return this.#exclusively(id, 'deleteSnapshot', 'cleanUp', reporter, (work) => cleanUp(work, paths, options))
  }

  async convertDisks(id: string, reporter: JobReporter): Promise<void> {
    await this.#exclusively(id, 'convertDisks', 'convert', reporter, convertDisks)
  }

  async setPolicy(id: string, policy: SnapshotPolicy | null): Promise<void> {
    await this.context.library.update(id, (definition) => ({ ...definition, snapshotPolicy: policy }))
  }

  onChange(listener: (machineId: string) => void): Disposer {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Also when it failed: something may be other than it was. */
  async #exclusively<T>(id: string, action: MachineAction, task: MachineTask, reporter: JobReporter, verb: (work: Work) => Promise<T>): Promise<T> {
    try {
      return await this.context.machines.exclusively(id, { action, task, signal: reporter.signal }, (held) => verb({ context: this.context, held, reporter, signal: held.signal }))
    } finally {
      this.changed(id)
    }
  }

  /** Says that the snapshots of a machine are other than they were. */
  changed(machineId: string): void {
    for (const listener of this.#listeners) listener(machineId)
  }
}

const maximumPictureBytes = 64 * 2 ** 20
