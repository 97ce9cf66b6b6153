import type { SettingsStore } from '../app/services'
import type { QemuImg } from '../engine/qemu'
import type { SnapshotContext } from '../snapshot/context'
import type { HostStorage } from '../storage'
import type { CheckRecords } from './check-records'
import type { Unfinished } from './unfinished'

/** What work on images can be cut off at: the new file is whole and has a temporary name; it has its own. */
export const imageSteps = ['image:written', 'image:named', 'image:resized', 'image:repaired'] as const
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
  /** The key of an encrypted image. Throws `KEY_REQUIRED`, and `IMAGE_UNSUPPORTED` where there is none. */
  readonly keyOf: (path: string) => Promise<string>
  readonly checks: CheckRecords
  readonly unfinished: Unfinished
  /** Awaited between the steps of everything that changes files: for tests of being cut off there. */
  readonly atStep: (step: ImageStep) => Promise<void>
}
