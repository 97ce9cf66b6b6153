import { z } from 'zod'

/** Identifier of a device within its machine: also its QEMU `id`, so the characters are those QEMU takes. */
export const DeviceId = z.string().regex(/^[a-z][a-z0-9_-]{0,30}$/u, 'A device’s id has at most 31 lower-case letters, digits, dashes and underscores, and begins with a letter.')

export const DiskFormat = z.enum(['qcow2', 'raw', 'vmdk', 'vdi', 'vhdx', 'vpc'])
export type DiskFormat = z.infer<typeof DiskFormat>

export const DiskBus = z.enum(['virtio-blk', 'virtio-scsi', 'sata', 'nvme', 'ide', 'usb', 'sd', 'floppy'])
export type DiskBus = z.infer<typeof DiskBus>

/** What the disk of a system that is to be installed can be on: no card or floppy, which hardly a system boots from. */
export const MainDiskBus = DiskBus.exclude(['sd', 'floppy'])
export type MainDiskBus = z.infer<typeof MainDiskBus>

/** A file in the machine's own folder: relative, forward slashes. */
export const OwnPath = z.string().regex(/^(?!\/)(?!.*(^|\/)\.\.(\/|$))[^\\\0]+$/u, 'The path of an own image begins in the machine’s folder and does not lead out of it with “..”.')

/** Where an image lies: inside the machine's own folder (relative, forward slashes), or anywhere else (absolute). */
export const ImageLocation = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('own'), path: OwnPath }),
  z.object({ kind: z.literal('external'), path: z.string().min(1).max(4096) }),
])
export type ImageLocation = z.infer<typeof ImageLocation>

/** How much a disk may do in a second; 0: as much as it can. A limit of both directions goes with none of one direction [QEMU: qapi/block-core.json, BlockIOThrottle]. */
export const DiskLimits = z.object({
  bytesPerSecond: z.int().min(0).max(2 ** 50).default(0),
  bytesReadPerSecond: z.int().min(0).max(2 ** 50).default(0),
  bytesWrittenPerSecond: z.int().min(0).max(2 ** 50).default(0),
  requestsPerSecond: z.int().min(0).max(1_000_000_000).default(0),
  readsPerSecond: z.int().min(0).max(1_000_000_000).default(0),
  writesPerSecond: z.int().min(0).max(1_000_000_000).default(0),
}).refine((limits) => limits.bytesPerSecond === 0 || limits.bytesReadPerSecond + limits.bytesWrittenPerSecond === 0, 'Limit the bytes of both directions together or each by itself, not both.')
  .refine((limits) => limits.requestsPerSecond === 0 || limits.readsPerSecond + limits.writesPerSecond === 0, 'Limit the requests of both directions together or each by itself, not both.')
export type DiskLimits = z.infer<typeof DiskLimits>

/**
 * The spare PCIe port that a device was plugged into while the machine ran, so that it is in the same place whenever the machine goes on from memory or starts; null: the place comes
 * of the order of the devices.
 */
export const Slot = z.int().min(0).max(31).nullable().default(null)

export const Disk = z.object({
  id: DeviceId,
  image: ImageLocation,
  /** Passed to QEMU explicitly and never probed. */
  format: DiskFormat,
  /** Its layers are encrypted (LUKS within qcow2) with the machine's disk key. What its files say of themselves has to agree. */
  encrypted: z.boolean().default(false),
  bus: DiskBus,
  readOnly: z.boolean().default(false),
  /** QEMU `cache.direct`/`cache.no-flush`: `none` = direct I/O, `writeback` = host page cache. `auto` picks the best the file system takes. */
  cache: z.enum(['auto', 'none', 'writeback']).default('auto'),
  /** Pass the guest's TRIM on, so that space is given back. */
  discard: z.boolean().default(true),
  /** QEMU `detect-zeroes`: what becomes of zeroes that the guest writes. `auto`: holes where TRIM is passed on. */
  detectZeroes: z.enum(['auto', 'off', 'on', 'unmap']).default('auto'),
  /** How QEMU waits for the file. `auto`: the best that this QEMU has for the way of caching. */
  aio: z.enum(['auto', 'threads', 'native', 'io_uring']).default('auto'),
  /** As the guest sees it; null: the device's id. */
  serial: z.string().regex(/^[A-Za-z0-9._-]{1,20}$/u, 'A serial number has at most 20 letters, digits, dots, dashes and underscores.').nullable().default(null),
  limits: DiskLimits.nullable().default(null),
  slot: Slot,
})
export type Disk = z.infer<typeof Disk>

export const Cdrom = z.object({
  id: DeviceId,
  /** null = an empty drive. Always raw. */
  image: ImageLocation.nullable(),
  bus: z.enum(['sata', 'ide', 'virtio-scsi', 'usb']),
})
export type Cdrom = z.infer<typeof Cdrom>

export const NicModel = z.enum(['virtio-net', 'e1000e', 'e1000', 'rtl8139', 'vmxnet3', 'igb', 'pcnet', 'ne2k_pci'])
export type NicModel = z.infer<typeof NicModel>

export const MacAddress = z.string().regex(/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/u, 'A card’s address is six pairs of hexadecimal digits in lower case, such as 52:54:00:12:34:56; the second digit is an even one.')

export const Nic = z.object({
  id: DeviceId,
  model: NicModel,
  macAddress: MacAddress,
  /** `user`: QEMU's built-in NAT (slirp). */
  backend: z.discriminatedUnion('type', [z.object({ type: z.literal('user') })]),
  /** Whether its cable is plugged in. */
  linkUp: z.boolean().default(true),
  slot: Slot,
})
export type Nic = z.infer<typeof Nic>

export const DisplayModel = z.enum(['virtio-vga', 'vga', 'qxl-vga', 'bochs-display', 'none'])
export type DisplayModel = z.infer<typeof DisplayModel>

/** UEFI variables that are to begin anew: whoever puts this into a machine gives it a store of its own, with what the firmware comes with. */
export const freshNvram = 'firmware/new.qcow2'

export const Firmware = z.discriminatedUnion('type', [
  z.object({ type: z.literal('bios') }),
  z.object({
    type: z.literal('uefi'),
    secureBoot: z.boolean().default(false),
    /** The qcow2 with the UEFI variables, in the machine's own folder. */
    nvram: OwnPath.default('firmware/nvram.qcow2'),
  }),
])
export type Firmware = z.infer<typeof Firmware>

/** A folder with the state of a TPM, in the machine's own folder: one of `tpm/`, that of a snapshot, or that of a run whose changes are thrown away. */
export const TpmStatePath = z
  .string()
  .regex(/^(?:(?:tpm|snapshots\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\/tpm)\/[a-z0-9]{1,32}(?:\.[0-9a-f]{8})?|disposable\/tpm)$/u, 'The state of a TPM lies in the machine’s folder “tpm”, such as tpm/1f2e3d4c.')

/** The state of a TPM that is to be new: whoever puts it into a machine gives it a folder of its own. */
export const newTpmState = 'tpm/new'

/** A chip that keeps keys and measures what is started [TCG: TPM 2.0 Library; PC Client Platform TPM Profile]. */
export const Tpm = z.object({
  version: z.enum(['2.0']).default('2.0'),
  /** How the guest reaches it. `tpm-crb`: as today's systems know it. `tpm-tis`: the older way. */
  model: z.enum(['tpm-crb', 'tpm-tis']).default('tpm-crb'),
  state: TpmStatePath.default(newTpmState),
})
export type Tpm = z.infer<typeof Tpm>

export const SoundModel = z.enum(['intel-hda', 'ich9-intel-hda', 'ac97', 'es1370', 'virtio-sound', 'usb-audio'])
export type SoundModel = z.infer<typeof SoundModel>

/** `xhci`: USB 3, `ehci`: USB 2, `uhci`: USB 1.1 for systems that know no other. */
export const UsbController = z.enum(['xhci', 'ehci', 'uhci'])
export type UsbController = z.infer<typeof UsbController>

/** Sockets between guest and host. */
export const Vsock = z.object({
  /** The guest’s number. */
  cid: z.int().min(3).max(4_294_967_294),
  slot: Slot,
})
export type Vsock = z.infer<typeof Vsock>

/** Resets or stops the machine when its guest no longer says that it is well. */
export const Watchdog = z.object({
  model: z.enum(['i6300esb', 'ib700']),
  /** What happens when it was not fed in time [QEMU: qapi/run-state.json, WatchdogAction]. */
  action: z.enum(['reset', 'shutdown', 'poweroff', 'pause', 'inject-nmi', 'none']).default('reset'),
})
export type Watchdog = z.infer<typeof Watchdog>

/** How a guest reaches a shared folder. `auto`: through virtiofs where that works at the start, else by 9p. */
export const SharedFolderDriver = z.enum(['auto', 'virtiofs', '9p'])
export type SharedFolderDriver = z.infer<typeof SharedFolderDriver>

/** A folder of this computer that the guest can mount by its tag. */
export const SharedFolder = z.object({
  id: DeviceId,
  /** What the guest mounts it by. */
  tag: z.string().regex(/^[A-Za-z0-9._-]{1,31}$/u, 'A tag has at most 31 letters, digits, dots, dashes and underscores.'),
  path: z.string().min(1).max(4096),
  readOnly: z.boolean().default(true),
  driver: SharedFolderDriver.default('9p'),
  slot: Slot,
})
export type SharedFolder = z.infer<typeof SharedFolder>

/** A device at this computer's USB ports that the guest gets while the machine runs, also when it is plugged in later. */
export const UsbDevice = z.object({
  id: DeviceId,
  /** Four hexadecimal digits, as `lsusb` shows them. */
  vendorId: z.string().regex(/^[0-9a-f]{4}$/u, 'A vendor’s number is four hexadecimal digits, such as 046d.'),
  productId: z.string().regex(/^[0-9a-f]{4}$/u, 'A product’s number is four hexadecimal digits, such as c52b.'),
  name: z.string().max(200).default(''),
  /** Only in this port: the bus, a dash, ports from hub to hub, as Linux writes it; null: wherever it is plugged in. */
  port: z.string().regex(/^[1-9]\d{0,2}-[1-9]\d{0,2}(\.[1-9]\d{0,2}){0,5}$/u, 'A port is the bus, a dash and the ports from hub to hub, such as 1-4.2.').nullable().default(null),
  slot: Slot,
})
export type UsbDevice = z.infer<typeof UsbDevice>

/** A device on this computer’s PCI buses that the guest gets for as long as the machine runs (VFIO). */
export const PciDevice = z.object({
  id: DeviceId,
  /** Domain, bus, slot and function on this computer. */
  address: z.string().regex(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/u, 'An address is domain, bus, slot and function in hexadecimal digits, such as 0000:01:00.0.'),
  name: z.string().max(200).default(''),
  slot: Slot,
})
export type PciDevice = z.infer<typeof PciDevice>
