import type { SettingsStore } from '../app/services'
import type { QemuImg } from '../engine/qemu'
import type { SnapshotContext } from '../snapshot/context'
import type { HostStorage } from '../storage'
import type { CheckRecords } from './check-records'
import type { MoveRecords } from './move-records'
import type { Unfinished } from './unfinished'

/**
 * What work on images can be cut off at: a new file is noted and nothing of it is there; it is whole and has a temporary name; it has its own. Of a disk that is moved: nothing is copied yet, the copy is whole, has its name, is what the machine's definition
 * names, is what QEMU writes to.
 */
export const imageSteps = [
  'image:begun', 'image:written', 'image:named', 'image:resized', 'image:repaired',
  'move:begun', 'move:copied', 'move:named', 'move:recorded', 'move:switched', 'move:run-noted', 'move:source-removed',
] as const
export type ImageStep = (typeof imageSteps)[number]

/** What looking at images and working on them needs. */
export interface ImageContext extends Pick<SnapshotContext, 'library' | 'machines' | 'libraryFolder' | 'layers' | 'manifests' | 'trash'> {
  readonly storage: Pick<HostStorage, 'examine'>
  /** Images beside the machines. It need not be there. */
  readonly imagesFolder: string
  /** Keeps the folders that were added. */
  readonly settings: Pick<SettingsStore, 'get' | 'change'>
  /** For stretches of disks on their way. */
  readonly temporaryFolder: string
  /** Throws `QEMU_NOT_FOUND`. */
  readonly imageTool: () => Promise<QemuImg>
  /** The key of an encrypted image. Throws `KEY_REQUIRED`, which names no machine where none has it. */
  readonly keyOf: (path: string) => Promise<string>
  readonly checks: CheckRecords
  readonly unfinished: Unfinished
  readonly moves: MoveRecords
  /** For what reaches into the layers of a machine. */
  readonly snapshots: SnapshotContext
  /** Awaited between the steps of everything that changes files: for tests of being cut off there. */
  readonly atStep: (step: ImageStep) => Promise<void>
}
