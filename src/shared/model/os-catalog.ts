import { z } from 'zod'
import { DisplayModel, MainDiskBus, NicModel, SoundModel, UsbController } from './devices'

/** What a guest of this system runs best on, and how to recognise its installation medium. `resources/os-catalog.json` holds these. */
export const OsEntry = z.object({
  id: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/u),
  name: z.string(),
  family: z.enum(['linux', 'windows', 'bsd', 'other']),
  /** Regular expressions over an ISO 9660 volume identifier; the first entry of the catalogue that matches wins. */
  volumeIds: z.array(z.string()).default([]),
  defaults: z.object({
    processors: z.int().min(1),
    memoryMiB: z.int().min(1),
    diskGiB: z.int().min(1),
    firmware: z.enum(['bios', 'uefi']),
    diskBus: MainDiskBus,
    nicModel: NicModel,
    /** Where the processor is emulated: a card that makes checksums and segments itself, which virtio leaves to the guest on QEMU’s user-mode network. For what the system’s own medium installs, whose kernel has a driver for it; kernels for clouds often have none. */
    emulatedNicModel: NicModel.optional(),
    display: DisplayModel,
    /** Its installer asks for it. */
    secureBoot: z.boolean().default(false),
    tpm: z.boolean().default(false),
    clock: z.enum(['utc', 'localtime']),
    pointer: z.enum(['tablet', 'ps2']),
    /** For systems that are desktops by their nature; null: no sound card. */
    sound: SoundModel.nullable().default(null),
    /** The newest that the system has drivers for. */
    usbController: UsbController.default('xhci'),
    guestAgent: z.boolean(),
    clipboard: z.boolean(),
    randomNumbers: z.boolean(),
    balloon: z.boolean(),
  }),
  minimum: z.object({ processors: z.int().min(1), memoryMiB: z.int().min(1), diskGiB: z.int().min(0) }),
  /** Its installer refuses BIOS firmware. */
  requiresUefi: z.boolean().optional(),
  /** What to know before installing it, a sentence or two. */
  note: z.string().optional(),
})
export type OsEntry = z.infer<typeof OsEntry>
export const OsCatalog = z.object({ schemaVersion: z.literal(1), entries: z.array(OsEntry).min(1) })
export type OsCatalog = z.infer<typeof OsCatalog>
