import type { LaunchPlan } from '@core/engine/engine'
import { machineSchemaVersion } from '@shared/model'
import { HostMessage, LaunchPlanSchema } from '@core/machine/worker-protocol'

/** As many processor models as a QEMU has, and as many rounds as it takes until parsing has become quick. */
const manyModels = 130
const rounds = 3

/** A plan that starts nothing, with a value in every part that a schema has a parser for. */
const plan: LaunchPlan = {
  definition: {
    schemaVersion: machineSchemaVersion, createdBy: 'ringside', id: '00000000-0000-4000-8000-000000000000', name: 'warm-up', notes: '', createdAt: '2026-01-01T00:00:00.000Z', osId: 'other',
    engine: 'qemu', accelerator: 'auto', machineType: 'q35', firmware: { type: 'uefi', secureBoot: false, nvram: 'firmware/nvram.qcow2' }, processors: { sockets: 1, cores: 1, threads: 1, model: 'auto', features: [], priority: 'normal', limitPercent: null, maximum: null, plugged: 0 },
    memoryMiB: 1, memory: { maximumMiB: null, pluggedMiB: 0, targetMiB: null, hugePages: false, shared: false }, clock: 'utc',
    boot: { order: ['disk0'], menu: false, kernel: { kernel: { kind: 'external', path: '/kernel' }, initrd: null, commandLine: '' } },
    disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'virtio-blk', readOnly: false, cache: 'auto', discard: true, detectZeroes: 'auto', aio: 'auto', serial: null, limits: null, slot: null, encrypted: false }],
    ioThread: 'auto',
    cdroms: [{ id: 'cd0', image: null, bus: 'sata' }],
    nics: [{ id: 'nic0', model: 'e1000e', macAddress: '52:54:00:00:00:01', backend: { type: 'user' }, linkUp: true, slot: null }],
    display: { model: 'vga', heads: 1, resolution: null, acceleration3d: false }, pointer: 'tablet', serialPorts: 1, guestAgent: true, clipboard: true, randomNumbers: true, balloon: true,
    virtioConsoles: 0, sound: { model: 'ac97' }, watchdog: { model: 'ib700', action: 'none' }, tpm: { version: '2.0', model: 'tpm-crb', state: 'tpm/new' }, panicDevice: false, vsock: { cid: 3, slot: null }, usbController: 'xhci',
    usbDevices: [{ id: 'usb0', vendorId: '0000', productId: '0000', name: '', port: null, slot: null }], sharedFolders: [{ id: 'share0', tag: 'x', path: '/', readOnly: true, driver: '9p', slot: null }], pciDevices: [], rawArguments: ['-x'],
    snapshotParentId: null, template: false, origin: null, snapshotPolicy: null, backupPolicy: null,
  },
  qemu: {
    systemPath: '', imgPath: '', version: '', package: '',
    machineTypes: [{ name: '', alias: null, isDefault: false, maxCpus: 1, deprecated: false }],
    cpuModels: [{ name: '', migrationSafe: null, deprecated: false, unavailableFeatures: [''] }],
    devices: [''], builtInAccelerators: [''],
    firmware: [{ codePath: '', codeFormat: 'raw', varsTemplatePath: '', varsFormat: 'raw', secureBoot: false, enrolledKeys: false, requiresSmm: false, description: '' }],
    features: { none: false },
  },
  accelerator: 'tcg', machineFolder: '', runtimeFolder: '', baseFolders: [''], baseFiles: [''], restore: null,
}

/**
 * Lets the parsers of the protocol compile themselves before there is anything to parse: the first parse of a launch plan costs more than
 * ten milliseconds, which a worker that is kept ready has already spent when its machine is started.
 */
export function warmUp(): void {
  const long = Array.from({ length: manyModels }, () => plan.qemu.cpuModels).flat()
  for (let round = 0; round < rounds; round += 1) {
    HostMessage.safeParse({ type: 'command', id: round, name: 'launch', input: plan })
    LaunchPlanSchema.parse({ ...plan, qemu: { ...plan.qemu, cpuModels: long } })
  }
}
