import type { AcceleratorName, DiskFormat, MachineDefinition, QemuReport } from '@shared/model'
import type { Endpoint } from '../endpoint'

/** An image that another one is an overlay of. */
export interface LayerFacts {
  /** Absolute path. */
  path: string
  format: DiskFormat
  driver: ImageFacts['driver']
  /** Whether it lies in the machine's own folder, and not in that of one it is a linked clone of. */
  own: boolean
}

/** One image file as it was found before start. */
export interface ImageFacts {
  /** Absolute path. */
  path: string
  /** `host_device`: a block device of the host. */
  driver: 'file' | 'host_device'
  /** Whether the file opened with O_DIRECT. */
  directIo: boolean
  /** The images that this one is an overlay of, nearest first. */
  backing: LayerFacts[]
}

/** What has to be there for encrypted disks, as `QemuReport.features` names it. */
export const luksFeature = 'luks'

/** Where viewers reach the guest's screen. */
export type GraphicsEndpoint =
  | { kind: 'unix'; path: string }
  /** Loopback, with the password in a file, because QEMU's VNC server knows no pre-shared keys. */
  | { kind: 'tcp'; passwordFile: string }

/** All that `buildArgv` looks at: plain data, gathered before. */
export interface ArgvInput {
  definition: MachineDefinition
  qemu: Pick<QemuReport, 'version' | 'machineTypes' | 'devices' | 'features' | 'firmware'>
  accelerator: AcceleratorName
  /** The host's. */
  platform: NodeJS.Platform
  /** By id of disk and CD drive; an empty drive has none. */
  images: Record<string, ImageFacts>
  /** The UEFI variables; null for a machine without. */
  nvram: ImageFacts | null
  kernel: { kernel: string; initrd: string | null } | null
  files: {
    pid: string
    /** By number of the serial port; VirtIO consoles come after those. */
    serialLogs: string[]
    /** Folder with `keys.psk`; only for TCP endpoints. */
    tlsFolder: string | null
    /** The file from which QEMU reads the key of encrypted disks. */
    diskKey: string
    /** Where folders are linked to that are shared by 9p while the machine runs. */
    spareShare: string
  }
  endpoints: {
    qmp: Endpoint
    /** A second monitor for people, in QEMU's own command language. */
    debugMonitor: Endpoint | null
    agent: Endpoint | null
    serial: Endpoint[]
    graphics: GraphicsEndpoint
    /** The socket of the process that plays the TPM; null: nothing does. */
    tpm: string | null
  }
  /** Sockets of the shared folders that go through virtiofs, by their ids; the others go by 9p. */
  virtiofs: Record<string, string>
  /** Where sound goes, as `-audiodev` names it; `none`: nowhere. */
  audioDriver: string
  /** Wait for saved state instead of booting. */
  incoming: boolean
}

export interface BuiltArgv {
  /** Without the program itself. */
  argv: string[]
  /** What is less than the definition asks for, a sentence each. */
  notes: string[]
}
