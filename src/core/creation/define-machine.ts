import { RingsideError } from '@shared/errors'
import {
  type AcceleratorName,
  bestHardware,
  boardFor,
  type CreateMachineRequest,
  type DiskFormat,
  type Has,
  type ImageLocation,
  isEmulatedInstall,
  MachineDefinition,
  newestBoard,
  type OsEntry,
  type QemuReport,
  machineSchemaVersion,
} from '@shared/model'
import { ownDiskPath, shortId, tpmStatePath } from '../library'

/** All that decides what a new machine is: plain data, so that the outcome can be tested to the letter. */
export interface MachineBlueprint {
  readonly request: CreateMachineRequest
  readonly os: OsEntry
  readonly qemu: QemuReport
  /** That `auto` means on this computer; null: none works. */
  readonly bestAccelerator: AcceleratorName | null
  readonly id: string
  readonly macAddress: string
  /** ISO 8601, UTC. */
  readonly createdAt: string
  /** Program and version. */
  readonly createdBy: string
  /** Which firmware the source starts with, as far as it says. */
  readonly bootable: { bios: boolean; uefi: boolean } | null
}

/** A disk of the new machine, and how it comes to be. */
export type DiskPlan =
  | { id: string; how: 'inPlace'; path: string; format: DiskFormat }
  | { id: string; how: 'copy' | 'convert'; from: string; fromFormat: DiskFormat; to: string; format: DiskFormat }
  | { id: string; how: 'new'; to: string; format: 'qcow2'; bytes: number }

export interface MachinePlan {
  readonly definition: MachineDefinition
  readonly disks: readonly DiskPlan[]
}

const GiB = 2 ** 30

/**
 * The machine that a QEMU expert would set up for this operating system on this computer, with what the person changed. Pure.
 * Throws `CAPABILITY_MISSING` when this QEMU lacks what the machine can't do without.
 */
export function defineMachine(blueprint: MachineBlueprint): MachinePlan {
  const { request, os, qemu } = blueprint
  const { hardware, source } = request
  const best = bestHardware(os, hasOf(qemu), isEmulatedInstall(request, blueprint.bestAccelerator))
  const diskBus = hardware.diskBus ?? best.diskBus
  const disks = planDisks(request)
  const cdrom = source.type === 'cdrom' || source.type === 'blank'
  const network = request.network === 'user'
  const order = [...disks.map((disk) => disk.id), ...(cdrom ? ['cdrom0'] : []), ...(network && source.type === 'network' ? ['nic0'] : [])]
  const definition: MachineDefinition = MachineDefinition.parse({
    schemaVersion: machineSchemaVersion,
    createdBy: blueprint.createdBy,
    id: blueprint.id,
    name: request.name,
    createdAt: blueprint.createdAt,
    osId: os.id,
    accelerator: hardware.accelerator ?? 'auto',
    machineType: versionedMachineType(qemu, best.board),
    firmware: chooseFirmware(blueprint) === 'uefi' ? { type: 'uefi', secureBoot: hardware.secureBoot === undefined ? best.secureBoot : hardware.secureBoot === 'on' } : { type: 'bios' },
    tpm: (hardware.tpm === undefined ? best.tpm : hardware.tpm === 'on') ? { state: tpmStatePath(shortId(blueprint.id)) } : null,
    // One socket: desktop Windows takes no more than one or two, and nothing gains by several.
    processors: { sockets: 1, cores: request.processors, threads: 1, model: hardware.cpuModel ?? 'auto' },
    memoryMiB: request.memoryMiB,
    clock: best.clock,
    boot: {
      // The disk first: an empty one is passed over, and once the system is on it, the installer does not start again.
      order,
      kernel:
        source.type === 'kernel'
          ? {
              kernel: external(source.kernel),
              initrd: source.initrd === null ? null : external(source.initrd),
              commandLine: source.commandLine,
            }
          : null,
    },
    disks: disks.map((disk) => ({ id: disk.id, image: locationOf(disk), format: disk.format, bus: diskBus, encrypted: request.encryption != null })),
    cdroms: cdrom
      ? [{ id: 'cdrom0', image: source.type === 'cdrom' ? external(source.path) : null, bus: best.cdromBus }]
      : [],
    nics: network
      ? [
          {
            id: 'nic0',
            model: hardware.nicModel ?? best.nicModel,
            macAddress: blueprint.macAddress,
            backend: { type: 'user' },
          },
        ]
      : [],
    display: { model: hardware.display ?? best.display },
    pointer: best.pointer,
    sound: best.sound === null ? null : { model: best.sound },
    usbController: best.usbController,
    serialPorts: 1,
    guestAgent: best.guestAgent,
    clipboard: best.clipboard,
    randomNumbers: best.randomNumbers,
    balloon: best.balloon,
  })
  return { definition, disks }
}

function planDisks({ source, newDiskGiB }: CreateMachineRequest): DiskPlan[] {
  const disks: DiskPlan[] = []
  if (source.type === 'disk') {
    if (source.mode === 'inPlace') disks.push({ id: 'disk0', how: 'inPlace', path: source.path, format: source.format })
    else {
      const format = source.mode === 'convert' ? 'qcow2' : source.format
      disks.push({
        id: 'disk0',
        how: source.mode,
        from: source.path,
        fromFormat: source.format,
        to: ownDiskPath(`disk0.${extensionOf(format)}`),
        format,
      })
    }
  }
  if (newDiskGiB !== null) {
    const id = `disk${String(disks.length)}`
    // Whole mebibytes, so that the end of the disk is aligned for every sector and erase-block size.
    disks.push({
      id,
      how: 'new',
      to: ownDiskPath(`${id}.qcow2`),
      format: 'qcow2',
      bytes: Math.max(1, Math.round(newDiskGiB * 1024)) * (GiB / 1024),
    })
  }
  return disks
}

function locationOf(disk: DiskPlan): ImageLocation {
  return disk.how === 'inPlace' ? external(disk.path) : { kind: 'own', path: disk.to }
}

function external(path: string): ImageLocation {
  return { kind: 'external', path }
}

function extensionOf(format: DiskFormat): string {
  return format === 'vpc' ? 'vhd' : format
}

/**
 * The firmware: as the person says, else what the system's installer insists on, else what the disc starts with, else what suits the
 * system and is there. A kernel that is loaded directly needs none, and BIOS gets to it sooner.
 */
export function chooseFirmware({
  request,
  os,
  qemu,
  bootable,
}: Pick<MachineBlueprint, 'request' | 'os' | 'qemu' | 'bootable'>): 'bios' | 'uefi' {
  if (request.hardware.firmware !== undefined) return request.hardware.firmware
  if (os.requiresUefi === true) return 'uefi'
  if (request.source.type === 'kernel' || boardFor(os) === 'pc' || !hasUefi(qemu)) return 'bios'
  if (bootable !== null && bootable.bios !== bootable.uefi) return bootable.uefi ? 'uefi' : 'bios'
  return bestHardware(os, hasOf(qemu)).firmware
}

/** Whether there is a UEFI firmware that starts only what is signed, with the usual keys in it. */
export function hasSecureBoot(qemu: Pick<QemuReport, 'firmware'>): boolean {
  return qemu.firmware.some((image) => image.secureBoot && image.enrolledKeys)
}

/** Why a machine can have no TPM here, a sentence; null: it can. */
export function tpmObstacle(qemu: Pick<QemuReport, 'version' | 'features' | 'devices' | 'tpm'>): string | null {
  if (qemu.features['tpmEmulator'] !== true || !qemu.devices.includes('tpm-crb')) return `QEMU ${qemu.version} on this computer was built without TPM.`
  return qemu.tpm?.program == null ? (qemu.tpm?.obstacle ?? 'The program that plays it, swtpm, was not found on this computer.') : null
}

/** Whether there is a UEFI firmware for a machine without secure boot. */
export function hasUefi(qemu: Pick<QemuReport, 'firmware'>): boolean {
  return qemu.firmware.some((image) => !image.enrolledKeys)
}

/**
 * The board by its versioned name, so that the guest sees the same one after every update of QEMU; by the alias that QEMU resolves
 * itself, else the newest that is named so.
 */
export function versionedMachineType(qemu: Pick<QemuReport, 'machineTypes'>, board: 'q35' | 'pc'): string {
  const aliased = qemu.machineTypes.find((type) => type.alias === board)
  if (aliased !== undefined) return aliased.name
  const newest = newestBoard(qemu.machineTypes.map(({ name }) => name), board)
  if (newest !== null) return newest
  throw new RingsideError('CAPABILITY_MISSING', `This QEMU has no “${board}” machine.`, {
    hint: 'Install the complete qemu-system-x86 package, or choose another disk bus.',
  })
}

export const diskDevices: Readonly<Record<string, string>> = {
  'virtio-blk': 'virtio-blk-pci',
  'virtio-scsi': 'virtio-scsi-pci',
  sata: 'ide-hd',
  nvme: 'nvme',
  ide: 'ide-hd',
  usb: 'usb-storage',
  sd: 'sd-card',
  floppy: 'floppy',
}
export const nicDevices: Readonly<Record<string, string>> = {
  'virtio-net': 'virtio-net-pci',
  e1000e: 'e1000e',
  e1000: 'e1000',
  rtl8139: 'rtl8139',
  vmxnet3: 'vmxnet3',
  igb: 'igb',
  pcnet: 'pcnet',
  ne2k_pci: 'ne2k_pci',
}
export const displayDevices: Readonly<Record<string, string>> = {
  'virtio-vga': 'virtio-vga',
  vga: 'VGA',
  'qxl-vga': 'qxl-vga',
  'bochs-display': 'bochs-display',
}
const soundDevices: Readonly<Record<string, string>> = {
  'intel-hda': 'intel-hda', 'ich9-intel-hda': 'ich9-intel-hda', ac97: 'AC97', es1370: 'ES1370', 'virtio-sound': 'virtio-sound-pci', 'usb-audio': 'usb-audio',
}
const usbDevices: Readonly<Record<string, string>> = { xhci: 'qemu-xhci', ehci: 'ich9-usb-ehci1', uhci: 'piix3-usb-uhci' }

/** Whether this QEMU has the device behind a model's name. Names without a device, such as `none`, are always there. */
export function hasDevice(qemu: Pick<QemuReport, 'devices'>, devices: Readonly<Record<string, string>>, model: string): boolean {
  const device = devices[model]
  return device === undefined || qemu.devices.includes(device)
}

/** Distributions split QEMU's devices over packages; a default that is missing gives way to one that every QEMU has. */
function hasOf(qemu: QemuReport): Has {
  const tables: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'disks.*.bus': diskDevices, 'nics.*.model': nicDevices, 'display.model': displayDevices, 'sound.model': soundDevices, usbController: usbDevices,
  }
  return (path, value) => {
    switch (path) {
      case 'firmware.type':
        return value === 'bios' || hasUefi(qemu)
      case 'firmware.secureBoot':
        return hasSecureBoot(qemu)
      case 'tpm.version':
        return tpmObstacle(qemu) === null
      default:
        return hasDevice(qemu, tables[path] ?? {}, value)
    }
  }
}
