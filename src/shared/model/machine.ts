import { z } from 'zod'
import { Cdrom, DeviceId, Disk, DisplayModel, Firmware, ImageLocation, Nic, PciDevice, SharedFolder, SoundModel, Tpm, UsbController, UsbDevice, Vsock, Watchdog } from './devices'

/** Version of `machine.json`. A change of form adds one here and a migration in the library. */
export const machineSchemaVersion = 3

export const AcceleratorName = z.enum(['kvm', 'hvf', 'whpx', 'tcg'])
export type AcceleratorName = z.infer<typeof AcceleratorName>

export const machineNameMaxLength = 100

/**
 * A machine's name: shown to people, unique in the library (case ignored). Control characters and path separators are refused, and so are
 * the marks that turn the direction of text around (UAX #9, 2.1 and 2.2), with which a name could dress up what is written beside it.
 */
export const MachineName = z
  .string()
  .trim()
  .min(1, 'Give the machine a name.')
  .max(machineNameMaxLength, {
    error: ({ input }) =>
      `A name has at most ${String(machineNameMaxLength)} characters; this one has ${String((input as string).length)}.`,
  })
  .refine((name) => !/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069/\\]/u.test(name), 'A name has no slashes, backslashes or control characters; leave them out.')
  .refine((name) => name === '' || /[\p{L}\p{N}\p{S}\p{P}]/u.test(name), 'A name has at least one character that can be seen.')
  .refine((name) => !/^\.+$/u.test(name), 'A name is more than dots.')

export const MachineId = z.uuid()
export const SnapshotId = z.uuid()

/** The machine that this one was made from. `linked`: its disks read from the other's, which therefore must stay. */
export const MachineOrigin = z.object({
  kind: z.enum(['full', 'linked']),
  machineId: MachineId,
  /** As it was called then. */
  machineName: z.string(),
  snapshotId: SnapshotId.nullable(),
})
export type MachineOrigin = z.infer<typeof MachineOrigin>

/** When snapshots are taken by themselves, and which of those stay: the newest of each of the last so many hours, days and weeks. */
export const SnapshotPolicy = z.object({
  every: z.enum(['hour', 'day', 'week']),
  keep: z.object({ hourly: z.int().min(0).max(168), daily: z.int().min(0).max(366), weekly: z.int().min(0).max(520) })
    .refine(({ hourly, daily, weekly }) => hourly + daily + weekly > 0, 'Keep at least one.'),
  /** Memory too, while the machine runs. */
  memory: z.boolean().default(false),
})
export type SnapshotPolicy = z.infer<typeof SnapshotPolicy>

/** Where backups of a machine go, and when. */
export const BackupPolicy = z.object({
  /** Absolute path; it may be on a drive that is not always there. */
  folder: z.string().min(1).max(4096),
  /** What the folder's own mark says: a mount point whose drive is away is another folder. null: not known yet. */
  folderId: z.uuid().nullable().default(null),
  /** null: only when somebody asks. */
  every: z.enum(['hour', 'day', 'week']).nullable().default(null),
  keep: SnapshotPolicy.shape.keep.default({ hourly: 0, daily: 7, weekly: 4 }),
  compress: z.boolean().default(true),
  /** Hold the guest's file systems still through its agent, where it answers. */
  quiesce: z.boolean().default(true),
  /** Read everything again when it is written. */
  verify: z.boolean().default(false),
})
export type BackupPolicy = z.infer<typeof BackupPolicy>

/** Counted among the devices of a list that have their place by its order (USB ports are counted apart), those that are empty with them. */
const PlaceNumber = z.int().min(0).max(63)

/**
 * A place on the board that a device of the machine’s start has left: memory loads into the very same board only, so that what comes behind it has to stay where it is.
 * Records of runs and of memory have such; a start without memory closes the gap.
 */
export const EmptyPlace = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('nic'), at: PlaceNumber }),
  z.object({ kind: z.literal('vsock') }),
  z.object({ kind: z.literal('folder'), at: PlaceNumber }),
  /** Of a device of the host’s PCI buses. */
  z.object({ kind: z.literal('pci'), at: PlaceNumber }),
  z.object({ kind: z.literal('disk'), bus: z.enum(['virtio-blk', 'nvme', 'virtio-scsi']), at: PlaceNumber }),
  /** Of virtio-scsi, and nothing is on it any more. */
  z.object({ kind: z.literal('scsiController') }),
  /** Of channels to programs in the guest, and nothing of the definition needs it any more, or yet. */
  z.object({ kind: z.literal('channelController') }),
  /** Of the USB 3 controller; 0: the controller alone is kept. */
  z.object({ kind: z.literal('usb'), port: z.int().min(0).max(8) }),
])
export type EmptyPlace = z.infer<typeof EmptyPlace>

export const mostSerialPorts = 4
export const mostVirtioConsoles = 4

/**
 * The stored definition of a machine, the content of `machine.json`. It says what the machine is, never what it is doing.
 * Sizes are MiB (2^20 bytes) where named so.
 */
export const MachineDefinition = z.object({
  schemaVersion: z.literal(machineSchemaVersion),
  /** Program and version that wrote the file, e.g. `ringside 0.1.0`. */
  createdBy: z.string(),
  id: MachineId,
  name: MachineName,
  notes: z.string().max(100_000).default(''),
  /** ISO 8601, UTC. */
  createdAt: z.iso.datetime(),
  /** Entry of the operating-system catalogue. */
  osId: z.string().min(1).max(64),
  engine: z.literal('qemu').default('qemu'),
  /** `auto`: the best one that is proved to work on this computer at start. */
  accelerator: z.union([z.literal('auto'), AcceleratorName]).default('auto'),
  /** Versioned QEMU machine type, e.g. `pc-q35-7.2`, so that the guest sees the same board for ever. */
  machineType: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/u, 'A machine type has letters, digits, dots, dashes and underscores only, such as pc-q35-7.2.'),
  firmware: Firmware,
  processors: z.object({
    sockets: z.int().min(1).max(64),
    cores: z.int().min(1).max(256),
    threads: z.int().min(1).max(8),
    /** QEMU CPU model, or `auto`: `host` when accelerated, else `max`. */
    model: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/u, 'A processor model has letters, digits, dots, dashes and underscores only.').default('auto'),
    /** Added to the model with `+` or taken from it with `-`, by QEMU's names. */
    features: z.array(z.string().regex(/^[+-][a-z0-9][a-z0-9._-]{0,63}$/u, 'A feature is QEMU’s name of it after a plus or a minus, such as +aes or -avx2.')).max(64).default([]),
    /** How much of the host the machine gets while others want it too: the priority of its process. */
    priority: z.enum(['low', 'normal', 'high']).default('normal'),
    /** How much processor time the machine may take of the host, percent of one of its processors; null: as much as there is. */
    limitPercent: z.int().min(10, 'With less than 10 % of a processor a machine hardly answers.').max(102_400).nullable().default(null),
    /** Processors can be put in up to this many while the machine runs, on further sockets; null: not. */
    maximum: z.int().min(2).max(1024).nullable().default(null),
    /** What is put in beyond those of the sockets. They have the next places on the board, in order. */
    plugged: z.int().min(0).max(1023).default(0),
  }),
  memoryMiB: z.int().min(1).max(16_777_216),
  memory: z.object({
    /** Memory can be plugged in up to this while the machine runs (virtio-mem); null: not. */
    maximumMiB: z.int().min(1).max(16_777_216).nullable().default(null),
    /** What is plugged in beyond `memoryMiB`. */
    pluggedMiB: z.int().min(0).max(16_777_216).default(0),
    /** What the balloon is to leave the guest of `memoryMiB`; null: all of it. */
    targetMiB: z.int().min(16, 'The balloon leaves a guest 16 MiB at least.').max(16_777_216).nullable().default(null),
    /** From the host's pool of huge pages [Linux: hugetlbpage.rst]. */
    hugePages: z.boolean().default(false),
    /** Other processes may map it, as virtiofs and vhost-user want. */
    shared: z.boolean().default(false),
  }).prefault({}),
  /** What the guest believes its real-time clock to be: Windows wants local time. */
  clock: z.enum(['utc', 'localtime']).default('utc'),
  boot: z.object({
    /** Device ids, first tried first; devices not named are not booted from. */
    order: z.array(DeviceId).default([]),
    menu: z.boolean().default(false),
    kernel: z
      .object({ kernel: ImageLocation, initrd: ImageLocation.nullable().default(null), commandLine: z.string().max(4096).default('') })
      .nullable()
      .default(null),
  }),
  disks: z.array(Disk).max(32).default([]),
  /** A thread of its own for the machine’s VirtIO disks. `auto`: where the processor is not emulated. */
  ioThread: z.enum(['auto', 'on', 'off']).default('auto'),
  cdroms: z.array(Cdrom).max(8).default([]),
  nics: z.array(Nic).max(16).default([]),
  display: z.object({
    model: DisplayModel,
    /** Screens; more than one with virtio and QXL only. */
    heads: z.int().min(1).max(4).default(1),
    /** The resolution that the guest is offered first, pixels; null: the device's own. */
    resolution: z.object({ width: z.int().min(320).max(7680), height: z.int().min(200).max(4320) }).nullable().default(null),
    /** The guest's OpenGL is done by this computer's graphics processor (VirGL); VirtIO graphics only. */
    acceleration3d: z.boolean().default(false),
  }),
  /** `tablet`: absolute pointer over USB, the pointer follows the host's. `ps2`: the old relative mouse. */
  pointer: z.enum(['tablet', 'ps2']).default('tablet'),
  serialPorts: z.int().min(0).max(mostSerialPorts).default(1),
  /** hvc0 and further. */
  virtioConsoles: z.int().min(0).max(mostVirtioConsoles).default(0),
  sound: z.object({ model: SoundModel }).nullable().default(null),
  watchdog: Watchdog.nullable().default(null),
  tpm: Tpm.nullable().default(null),
  /** pvpanic: the guest tells when its kernel has crashed. */
  panicDevice: z.boolean().default(false),
  /** Sockets between guest and host; the guest's number, null: none. */
  vsock: Vsock.nullable().default(null),
  usbController: UsbController.default('xhci'),
  usbDevices: z.array(UsbDevice).max(16).default([]),
  sharedFolders: z.array(SharedFolder).max(16).default([]),
  pciDevices: z.array(PciDevice).max(8).default([]),
  /** Further arguments for QEMU, for experts: passed on as they are, after all others. */
  rawArguments: z.array(z.string().min(1).max(4096)).max(64).default([]),
  /** qemu-guest-agent channel. */
  guestAgent: z.boolean().default(true),
  /** Clipboard channel for spice-vdagent in the guest. */
  clipboard: z.boolean().default(true),
  randomNumbers: z.boolean().default(true),
  balloon: z.boolean().default(true),
  /** The snapshot that the machine's disks go on from. Where there are layers on disk, those decide. */
  snapshotParentId: SnapshotId.nullable().default(null),
  /** Frozen for cloning: it is not started and its disks are not changed. */
  template: z.boolean().default(false),
  origin: MachineOrigin.nullable().default(null),
  /** null: no automatic snapshots. */
  snapshotPolicy: SnapshotPolicy.nullable().default(null),
  /** null: nobody has said where backups go. */
  backupPolicy: BackupPolicy.nullable().default(null),
  /** Absent in `machine.json`: see `EmptyPlace`. */
  emptyPlaces: z.array(EmptyPlace).max(64).optional(),
  /** Absent in `machine.json`, as those are: the port of the USB 3 controller that the tablet came into while the machine ran. One of the start is on the first. */
  tabletPort: z.int().min(1).max(8).optional(),
})
export type MachineDefinition = z.infer<typeof MachineDefinition>

/** Ports with a console: the serial ports, and after those the consoles over VirtIO. Their numbers are those of consoles, sockets and logs. */
export function consolePortCount({ serialPorts, virtioConsoles }: Pick<MachineDefinition, 'serialPorts' | 'virtioConsoles'>): number {
  return serialPorts + virtioConsoles
}

/** Logical processors of the sockets that are there from the start. */
export function processorsAtStart({ sockets, cores, threads }: Pick<MachineDefinition['processors'], 'sockets' | 'cores' | 'threads'>): number {
  return sockets * cores * threads
}

/** Logical processors that the guest has: those of its sockets, and those that were put in. */
export function processorCount(processors: Pick<MachineDefinition['processors'], 'sockets' | 'cores' | 'threads' | 'plugged'>): number {
  return processorsAtStart(processors) + processors.plugged
}
