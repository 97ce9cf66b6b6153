import { type LibraryProblem, MachineDefinition, machineSchemaVersion, type MachineState, type MachineView, type OsCatalog, type OsEntry, type ProbeReport } from '@shared/model'

/** Ids of the fake host's machines, by what they are for. */
export const fakeIds = {
  running: '11111111-1111-4111-8111-111111111111',
  busy: '22222222-2222-4222-8222-222222222222',
  stopped: '33333333-3333-4333-8333-333333333333',
  paused: '44444444-4444-4444-8444-444444444444',
  saved: '55555555-5555-4555-8555-555555555555',
  crashed: '66666666-6666-4666-8666-666666666666',
  headless: '77777777-7777-4777-8777-777777777777',
} as const

export function fakeDefinition(id: string, name: string, changes: Partial<MachineDefinition> = {}): MachineDefinition {
  const definition = MachineDefinition.parse({
    schemaVersion: machineSchemaVersion, createdBy: 'ringside 0.1.0', id, name, createdAt: '2026-11-01T08:00:00.000Z', osId: 'debian', machineType: 'pc-q35-7.2', firmware: { type: 'uefi' },
    processors: { sockets: 1, cores: 2, threads: 1 }, memoryMiB: 2048, boot: { order: ['disk0'] },
    disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'virtio-blk' }],
    cdroms: [{ id: 'cd0', image: null, bus: 'sata' }],
    nics: [{ id: 'net0', model: 'virtio-net', macAddress: '52:54:00:12:34:56', backend: { type: 'user' } }],
    display: { model: 'virtio-vga' },
  })
  return { ...definition, ...changes }
}

export function fakeView(definition: MachineDefinition, state: MachineState, changes: Partial<MachineView> = {}): MachineView {
  const live = ['starting', 'running', 'paused', 'saving', 'stopping'].includes(state)
  return {
    id: definition.id, definition, next: null, state, stateSince: new Date().toISOString(), task: null, folder: `/home/ada/.local/share/Ringside/library/${definition.name}-${definition.id.slice(0, 8)}`,
    run: live
      ? {
          startedAt: new Date(Date.now() - 3_725_000).toISOString(), accelerator: 'tcg',
          acceleratorNote: 'Hardware virtualization does not work on this computer, so the guest runs under software emulation and is slower.',
          qemuPid: 4242, workerPid: 4241, qemuVersion: '7.2.22', notes: [], disposable: false,
        }
      : null,
    crash: null, saved: null, ...changes,
  }
}

export function fakeMachines(): MachineView[] {
  return [
    fakeView(fakeDefinition(fakeIds.running, 'web-01'), 'running'),
    fakeView(fakeDefinition(fakeIds.busy, 'build-agent', { memoryMiB: 8192, processors: { sockets: 1, cores: 4, threads: 1, model: 'auto', features: [], priority: 'normal', limitPercent: null, maximum: null, plugged: 0 }, osId: 'ubuntu', snapshotPolicy: { every: 'hour', keep: { hourly: 24, daily: 14, weekly: 8 }, memory: false } }), 'running'),
    fakeView(fakeDefinition(fakeIds.stopped, 'windows-11', { osId: 'windows-11', memoryMiB: 8192, firmware: { type: 'uefi', secureBoot: true, nvram: 'firmware/nvram.qcow2' }, clock: 'localtime' }), 'stopped'),
    fakeView(fakeDefinition(fakeIds.paused, 'router', { memoryMiB: 256, osId: 'alpine' }), 'paused'),
    fakeView(fakeDefinition(fakeIds.saved, 'research'), 'saved', { saved: { at: '2026-11-20T17:30:00.000Z', sizeBytes: 734_003_200, qemuVersion: '7.2.22' } }),
    fakeView(fakeDefinition(fakeIds.crashed, 'old-database', { firmware: { type: 'bios' } }), 'crashed', {
      crash: {
        at: '2026-11-21T06:12:44.000Z', reason: 'QEMU ended with signal SIGKILL while the guest was running.',
        process: {
          command: '/usr/bin/qemu-system-x86_64', argv: ['-nodefaults', '-machine', 'pc-q35-7.2'], exitCode: null, signal: 'SIGKILL',
          stderrTail: '2026-11-21T06:12:40Z qemu-system-x86_64: warning: host memory is low\n2026-11-21T06:12:44Z terminated',
        },
      },
    }),
    fakeView(fakeDefinition(fakeIds.headless, 'logger', { display: { model: 'none', heads: 1, resolution: null, acceleration3d: false }, memoryMiB: 512 }), 'running', {}),
  ]
}

export const fakeProblems: LibraryProblem[] = [
  {
    folder: '/home/ada/.local/share/Ringside/library/broken-aaaaaaaa', path: '/home/ada/.local/share/Ringside/library/broken-aaaaaaaa/machine.json', code: 'DEFINITION_DAMAGED',
    message: 'machine.json is no JSON: unexpected end at line 14.', hint: 'The file is left as it is. Restore it from a backup, or move the folder away.',
  },
]

const entry = (id: string, name: string, family: OsEntry['family'], changes: Partial<OsEntry['defaults']> = {}): OsEntry => ({
  id, name, family, volumeIds: [],
  defaults: {
    processors: 2, memoryMiB: 2048, diskGiB: 32, firmware: 'uefi', secureBoot: false, tpm: false, diskBus: 'virtio-blk', nicModel: 'virtio-net', display: 'virtio-vga', clock: 'utc', pointer: 'tablet',
    sound: null, usbController: 'xhci', guestAgent: true, clipboard: true, randomNumbers: true, balloon: true, ...changes,
  },
  minimum: { processors: 1, memoryMiB: 256, diskGiB: 2 },
})

export const fakeCatalog: OsCatalog = {
  schemaVersion: 1,
  entries: [
    entry('debian', 'Debian', 'linux'), entry('ubuntu', 'Ubuntu', 'linux'), entry('fedora', 'Fedora', 'linux'), entry('alpine', 'Alpine Linux', 'linux', { memoryMiB: 512, diskGiB: 4 }),
    entry('generic-linux', 'Another Linux', 'linux'),
    entry('windows-11', 'Windows 11', 'windows', { memoryMiB: 8192, diskGiB: 64, diskBus: 'sata', nicModel: 'e1000e', display: 'qxl-vga', clock: 'localtime' }),
    entry('freebsd', 'FreeBSD', 'bsd'), entry('other', 'Something else', 'other', { firmware: 'bios', diskBus: 'sata', nicModel: 'e1000e', display: 'vga' }),
  ],
}

export function fakeProbe(): ProbeReport {
  return {
    probedAt: new Date().toISOString(),
    qemu: {
      systemPath: '/usr/bin/qemu-system-x86_64', imgPath: '/usr/bin/qemu-img', version: '7.2.22', package: 'Debian 1:7.2+dfsg-7+deb12u18',
      machineTypes: [
        { name: 'pc-q35-7.2', alias: 'q35', isDefault: false, maxCpus: 288, deprecated: false }, { name: 'pc-i440fx-7.2', alias: 'pc', isDefault: true, maxCpus: 255, deprecated: false },
        { name: 'pc-q35-7.1', alias: null, isDefault: false, maxCpus: 288, deprecated: false }, { name: 'microvm', alias: null, isDefault: false, maxCpus: 288, deprecated: false },
      ],
      cpuModels: [
        { name: 'max', migrationSafe: false, deprecated: false, unavailableFeatures: [] }, { name: 'qemu64', migrationSafe: true, deprecated: false, unavailableFeatures: [] },
        { name: 'Skylake-Server', migrationSafe: true, deprecated: false, unavailableFeatures: ['avx512f', 'pcid'] },
      ],
      devices: ['virtio-blk-pci', 'virtio-net-pci', 'virtio-vga', 'usb-tablet', 'qemu-xhci'], builtInAccelerators: ['kvm', 'tcg'],
      firmware: [{
        codePath: '/usr/share/OVMF/OVMF_CODE_4M.fd', codeFormat: 'raw', varsTemplatePath: '/usr/share/OVMF/OVMF_VARS_4M.fd', varsFormat: 'raw', secureBoot: false, enrolledKeys: false,
        requiresSmm: false, description: 'UEFI firmware for x86_64',
      }],
      tpm: { program: { path: '/usr/bin/swtpm', version: '0.7.1', versions: ['1.2', '2.0'] }, obstacle: null, remedy: null },
      virtiofs: { path: '/usr/libexec/virtiofsd', obstacle: null, remedy: null },
      features: { 'mapped-ram': false, 'background-snapshot': true, sandbox: true },
    },
    qemuProblem: null,
    accelerators: [
      {
        name: 'kvm', works: false, selfTestMs: null, reason: 'guest-never-answered',
        message: 'The device /dev/kvm opens, but a guest that was started on it never answered.',
        remedy: 'Switch on “Intel VT-x” or “AMD-V” in the firmware set-up of this computer; in a virtual machine, switch on nested virtualization.',
        detail: 'qemu-system-x86_64: error: failed to set MSR 0x345 to 0x0',
      },
      { name: 'tcg', works: true, selfTestMs: 412, reason: 'ok', message: 'Software emulation works. It is slower than hardware virtualization.', remedy: null, detail: '' },
      { name: 'hvf', works: false, selfTestMs: null, reason: 'wrong-system', message: 'Hypervisor.framework is part of macOS.', remedy: null, detail: '' },
      { name: 'whpx', works: false, selfTestMs: null, reason: 'wrong-system', message: 'The Windows Hypervisor Platform is part of Windows.', remedy: null, detail: '' },
    ],
    bestAccelerator: 'tcg',
  }
}
