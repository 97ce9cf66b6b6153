import { type HardwareProperty, type MachineDefinition, processorsAtStart } from '@shared/model'
import { hasChannels } from '../../empty-places'
import { boardOf, luksObstacle, memfdObstacle } from '../argv'
import {
  acceleratorChoices, aioChoices, backends, caches, cdromBuses, choicesOf, clocks, cpuModelChoices, diskBuses, displayModels, firmwareChoices, folderDriverChoices, formats, machineTypeChoices, maxProcessors, nicModels,
  ioThreads, pointers, priorities, soundModels, tpmModels, tpmVersions, usbControllers, watchdogActions, watchdogModels, zeroes,
} from './choices'
import { plugProcessorObstacle, unplugProcessorObstacle } from './processors'
import type { HardwareSurroundings } from './surroundings'

type More = Partial<Omit<HardwareProperty, 'path' | 'label' | 'term' | 'help' | 'kind'>>

const atNextStart = { possible: false, reason: 'QEMU takes it only as it starts.' }
/** Below this hardly a system can live. */
const smallestTargetMiB = 16
const noBalloon = 'The machine has no memory balloon; switch it on first.'
const live = { possible: true, reason: null }

/** Every property of a machine's hardware, with its limits on this computer and with this QEMU. Pure. */
export function hardwareProperties(definition: MachineDefinition, surroundings: HardwareSurroundings): HardwareProperty[] {
  return [
    ...systemProperties(surroundings), ...processorProperties(definition, surroundings), ...memoryProperties(definition, surroundings), ...bootProperties(), ...diskProperties(surroundings),
    ...driveProperties(surroundings), ...nicProperties(surroundings), ...screenProperties(definition, surroundings), ...portProperties(definition, surroundings), ...hostProperties(definition, surroundings),
  ]
}

function property(path: string, label: string, term: string, help: string, kind: HardwareProperty['kind'], more: More = {}): HardwareProperty {
  return { path, label, term, help, kind, choices: [], minimum: null, maximum: null, unit: null, live: atNextStart, obstacle: null, ...more }
}

function systemProperties(surroundings: HardwareSurroundings): HardwareProperty[] {
  const secure = surroundings.qemu.firmware.some(({ secureBoot, enrolledKeys }) => secureBoot && enrolledKeys)
  return [
    property('osId', 'Operating system', 'osId', 'What runs in the machine. Some hardware is set up for Windows in a way of its own.', 'text'),
    property('accelerator', 'Acceleration', '-accel', 'How the guest’s instructions are run: by the processor itself, or emulated.', 'choice', { choices: acceleratorChoices(surroundings) }),
    property('machineType', 'Board', '-machine type', 'The board and its version. An installed system may not start on another one.', 'choice', { choices: machineTypeChoices(surroundings) }),
    property('firmware.type', 'Firmware', '-machine pflash0', 'What starts the machine. An installed system starts with the one it was installed with.', 'choice', { choices: firmwareChoices(surroundings) }),
    property('firmware.secureBoot', 'Secure Boot', 'OVMF, enrolled keys', 'Starts only systems that are signed, as Windows 11 wants it.', 'switch', {
      obstacle: secure ? null : 'No firmware with Secure Boot and its keys was found on this computer.',
    }),
    property('firmware.nvram', 'UEFI variables', '-machine pflash1', 'The file in which the firmware keeps its settings, its boot entries and its keys.', 'text', { obstacle: 'The machine’s snapshots hang on it, so it stays where it is.' }),
    property('clock', 'Clock', '-rtc base', 'What the guest takes its hardware clock to be.', 'choice', { choices: choicesOf(clocks, surroundings) }),
  ]
}

function processorProperties(definition: MachineDefinition, surroundings: HardwareSurroundings): HardwareProperty[] {
  const { accelerator } = surroundings
  const maximum = maxProcessors(definition, surroundings)
  const most = definition.processors.maximum
  const atStart = processorsAtStart(definition.processors)
  const number = { live: { possible: false, reason: 'What the machine has from its start changes at the next. Others can be put in while it runs, up to their number at most.' } }
  const pluggable = plugProcessorObstacle(accelerator)
  return [
    property('processors.sockets', 'Sockets', '-smp sockets', 'Processor chips on the board. Desktop Windows takes one or two.', 'number', { ...number, minimum: 1, maximum: Math.min(64, maximum) }),
    property('processors.cores', 'Cores', '-smp cores', 'Cores on each chip.', 'number', { ...number, minimum: 1, maximum: Math.min(256, maximum) }),
    property('processors.threads', 'Threads', '-smp threads', 'Threads that each core runs at a time.', 'number', { ...number, minimum: 1, maximum: 8 }),
    property('processors.maximum', 'Processors at most', '-smp maxcpus', 'Up to this many processors can be put in while the machine runs, on further sockets. Empty: none.', 'number', { minimum: atStart, maximum, unit: null, obstacle: most === null ? pluggable : null }),
    property('processors.plugged', 'Processors put in', 'device_add', `What the guest has beyond those of its sockets. Linux may have to be told: echo 1 > /sys/devices/system/cpu/cpu${String(atStart)}/online.`, 'number', {
      minimum: 0, maximum: most === null ? null : Math.max(0, most - atStart), live: livePlugged(most, accelerator), obstacle: most === null ? 'Set how many processors the machine may have at most first.' : null,
    }),
    property('processors.model', 'Processor model', '-cpu', 'Which processor the guest sees. “Best available” is the fastest.', 'choice', { choices: cpuModelChoices(surroundings) }),
    property('processors.features', 'Processor features', '-cpu +feature', 'Features added to the model with a plus, or taken from it with a minus, by QEMU’s names.', 'list'),
    property('processors.limitPercent', 'Processor time at most', 'cgroup cpu.max', 'Of this computer’s processor time, in percent of one processor: 150 is one and a half. Empty: no limit.', 'number', {
      live, minimum: 10, maximum: 100 * surroundings.host.logicalProcessors, unit: '%', obstacle: surroundings.host.processorTimeObstacle,
    }),
    property('processors.priority', 'Priority', 'setpriority', 'Who goes first when the computer has not time enough for all.', 'choice', { live, choices: choicesOf(priorities, surroundings) }),
  ]
}

function livePlugged(maximum: number | null, accelerator: HardwareSurroundings['accelerator']): HardwareProperty['live'] {
  const reason = maximum === null ? 'The machine may have no more than those of its start.' : plugProcessorObstacle(accelerator)
  // More is live everywhere else; fewer only in some places, which the reason says beside.
  return { possible: reason === null, reason: reason ?? unplugProcessorObstacle(accelerator) }
}

function memoryProperties(definition: MachineDefinition, surroundings: HardwareSurroundings): HardwareProperty[] {
  const { memoryMiB, memory, balloon } = definition
  const { qemu, host } = surroundings
  const pluggable = missing(surroundings, 'virtio-mem-pci')
  const pool = host.hugePages === null ? 'This computer has set no huge pages aside (vm.nr_hugepages is 0).' : null
  return [
    property('memoryMiB', 'Memory', '-m size', 'What the guest has from its start.', 'number', { minimum: 4, maximum: 16_777_216, unit: 'MiB' }),
    property('memory.maximumMiB', 'Memory at most', '-m maxmem, virtio-mem', 'Up to this more memory can be plugged in. Linux guests need at least 128 MiB more.', 'number', { minimum: memoryMiB + 2, maximum: 16_777_216, unit: 'MiB', obstacle: pluggable }),
    property('memory.pluggedMiB', 'Memory plugged in', 'virtio-mem requested-size', 'What the guest has beyond its memory at start. Linux takes it in pieces of 128 MiB, as a rule.', 'number', { minimum: 0, maximum: 16_777_216, unit: 'MiB', ...(memory.maximumMiB === null ? {} : { live }), obstacle: pluggable }),
    property('memory.targetMiB', 'Memory left by the balloon', 'balloon', 'What the guest may keep of its memory; the balloon takes the rest and gives it to this computer. Empty: all of it.', 'number', {
      minimum: smallestTargetMiB, maximum: memoryMiB, unit: 'MiB', ...(balloon ? { live } : { live: { possible: false, reason: noBalloon } }), obstacle: missing(surroundings, 'virtio-balloon-pci') ?? (balloon ? null : noBalloon),
    }),
    property('memory.hugePages', 'Huge pages', 'memory-backend-memfd hugetlb', 'Takes memory from the computer’s pool of huge pages, which is faster and not to be swapped out.', 'switch', { obstacle: memfdObstacle({ hugePages: true }, host.platform, qemu.features) ?? pool }),
    property('memory.shared', 'Shared memory', 'memory-backend-memfd share', 'Other programs may map the guest’s memory, as virtiofs and vhost-user need it.', 'switch', { obstacle: memfdObstacle({ hugePages: false }, host.platform, qemu.features) }),
    property('balloon', 'Memory balloon', 'virtio-balloon-pci', 'Tells how much memory the guest uses, and gives back what it freed.', 'switch', { live: comesAndGoes(definition), obstacle: missing(surroundings, 'virtio-balloon-pci') }),
  ]
}

function bootProperties(): HardwareProperty[] {
  return [
    property('boot.order', 'Starts from', 'bootindex', 'The devices that the machine is started from, the first one first.', 'list'),
    property('boot.menu', 'Boot menu', '-boot menu', 'The firmware waits a moment for a key that shows a choice of devices.', 'switch'),
    property('boot.kernel.kernel', 'Kernel', '-kernel', 'A Linux kernel that is started directly, without any firmware’s boot order.', 'text'),
    property('boot.kernel.initrd', 'Initial ramdisk', '-initrd', 'The ramdisk that goes with the kernel.', 'text'),
    property('boot.kernel.commandLine', 'Kernel’s command line', '-append', 'Options for the kernel.', 'text'),
  ]
}

function diskProperties(surroundings: HardwareSurroundings): HardwareProperty[] {
  const each = (name: string, ...rest: [label: string, term: string, help: string, kind: HardwareProperty['kind'], more?: More]): HardwareProperty => property(`disks.*.${name}`, ...rest)
  const rate = { live, minimum: 0, maximum: 2 ** 50, unit: 'bytes/s' }
  const requests = { live, minimum: 0, maximum: 1_000_000_000, unit: 'requests/s' }
  return [
    each('id', 'Name', 'id', 'What the disk is called here and in QEMU.', 'text'),
    each('image', 'File', '-blockdev filename', 'Where its content lies.', 'text', { obstacle: 'A disk keeps its file. Take it out and add another one instead.' }),
    each('format', 'Format', '-blockdev driver', 'How its file is written. It is never guessed from the content.', 'choice', { choices: choicesOf(formats, surroundings), obstacle: 'A disk keeps its file, and that its format.' }),
    each('encrypted', 'Encrypted', 'encrypt.format=luks', 'What is written to it can only be read with the machine’s passphrase.', 'switch', { obstacle: luksObstacle(surroundings.qemu) ?? 'Encrypting or decrypting writes its file anew: on the storage page, or with “ringside disk encrypt” and “decrypt”.' }),
    each('bus', 'Bus', '-device', 'How the guest reaches it. VirtIO is fastest, SATA is known to nearly all. Disks on NVMe keep memory out of snapshots; an SD card’s size is a power of two.', 'choice', { choices: choicesOf(diskBuses, surroundings) }),
    each('readOnly', 'Read-only', 'read-only', 'The guest can’t write to it.', 'switch'),
    each('cache', 'Cache', 'cache.direct', 'Whether the computer keeps the disk’s data in its memory too.', 'choice', { choices: choicesOf(caches, surroundings) }),
    each('discard', 'Give space back', 'discard=unmap', 'What the guest frees takes no space in the file any more.', 'switch'),
    each('detectZeroes', 'Zeroes', 'detect-zeroes', 'What becomes of zeroes that the guest writes.', 'choice', { choices: choicesOf(zeroes, surroundings) }),
    each('aio', 'Access', 'aio', 'How QEMU waits for the file.', 'choice', { choices: aioChoices(surroundings) }),
    each('serial', 'Serial number', 'serial', 'As the guest sees it, such as in /dev/disk/by-id. Empty: the disk’s name.', 'text'),
    each('limits.bytesPerSecond', 'Bytes a second', 'bps', 'Read and written together; 0: no limit.', 'number', rate),
    each('limits.bytesReadPerSecond', 'Bytes read a second', 'bps_rd', 'Read alone; 0: no limit.', 'number', rate),
    each('limits.bytesWrittenPerSecond', 'Bytes written a second', 'bps_wr', 'Written alone; 0: no limit.', 'number', rate),
    each('limits.requestsPerSecond', 'Requests a second', 'iops', 'Reading and writing together; 0: no limit.', 'number', requests),
    each('limits.readsPerSecond', 'Reads a second', 'iops_rd', 'Reading alone; 0: no limit.', 'number', requests),
    each('limits.writesPerSecond', 'Writes a second', 'iops_wr', 'Writing alone; 0: no limit.', 'number', requests),
    each('slot', 'Port', 'bus', 'The spare port that it was plugged into while the machine ran.', 'number', { minimum: 0, maximum: 31, obstacle: 'Ringside gives it when a disk is plugged in.' }),
    property('ioThread', 'I/O thread', 'iothread', 'A thread of its own serves all VirtIO disks, so that monitor and screen never wait for them. An emulated processor is quicker without.', 'choice', { choices: choicesOf(ioThreads, surroundings) }),
  ]
}

function driveProperties(surroundings: HardwareSurroundings): HardwareProperty[] {
  return [
    property('cdroms.*.id', 'Name', 'id', 'What the drive is called here and in QEMU.', 'text'),
    property('cdroms.*.image', 'Disc', '-blockdev filename', 'The disc that lies in it; none: it is empty.', 'text', { live }),
    property('cdroms.*.bus', 'Bus', '-device', 'How the guest reaches the drive.', 'choice', { choices: choicesOf(cdromBuses, surroundings) }),
  ]
}

function nicProperties(surroundings: HardwareSurroundings): HardwareProperty[] {
  return [
    property('nics.*.id', 'Name', 'id', 'What the card is called here and in QEMU.', 'text'),
    property('nics.*.model', 'Model', '-device', 'Which card the guest sees. VirtIO is fastest, Intel’s are known to nearly all.', 'choice', { choices: choicesOf(nicModels, surroundings) }),
    property('nics.*.macAddress', 'Address', 'mac', 'The card’s address in its network (MAC).', 'text'),
    property('nics.*.backend.type', 'Network', '-netdev', 'What the card is plugged into.', 'choice', { choices: choicesOf(backends, surroundings) }),
    property('nics.*.linkUp', 'Cable plugged in', 'set_link', 'Whether the guest has a connection.', 'switch', { live }),
    property('nics.*.slot', 'Port', 'bus', 'The spare port that it was plugged into while the machine ran.', 'number', { minimum: 0, maximum: 31, obstacle: 'Ringside gives it when a card is plugged in.' }),
  ]
}

function screenProperties(definition: MachineDefinition, surroundings: HardwareSurroundings): HardwareProperty[] {
  const { display } = definition
  const several = display.model === 'virtio-vga' || display.model === 'qxl-vga'
  const none = display.model === 'none' ? 'The machine has no display.' : null
  return [
    property('display.model', 'Display', '-device', 'The graphics adapter. VirtIO follows the size of the window; standard VGA works everywhere.', 'choice', { choices: choicesOf(displayModels, surroundings) }),
    property('display.heads', 'Screens', 'max_outputs', 'Connectors for screens. Ringside shows the first.', 'number', { minimum: 1, maximum: 4, obstacle: several ? null : (none ?? 'Only VirtIO and QXL displays have more than one.') }),
    property('display.resolution.width', 'Width', 'xres', 'The resolution that the guest is offered first.', 'number', { minimum: 320, maximum: 7680, unit: 'pixels', obstacle: none }),
    property('display.resolution.height', 'Height', 'yres', 'The resolution that the guest is offered first.', 'number', { minimum: 200, maximum: 4320, unit: 'pixels', obstacle: none }),
    property('display.acceleration3d', '3D acceleration', 'virtio-vga-gl, egl-headless', 'This computer’s graphics processor draws for the guest. Memory can’t be saved meanwhile, so snapshots are of the disks only.', 'switch', { obstacle: drawingObstacle(display, surroundings) }),
    property('pointer', 'Pointer', 'usb-tablet', 'How the guest learns of the mouse.', 'choice', { live: pointerLive(definition), choices: choicesOf(pointers, surroundings) }),
    property('sound.model', 'Sound card', '-device, -audiodev', 'Which sound card the guest sees. It is heard on the computer that the machine runs on, through PipeWire, PulseAudio or ALSA, Core Audio, or DirectSound; not in a browser elsewhere.', 'choice', { choices: choicesOf(soundModels, surroundings) }),
  ]
}

/** The tablet comes and goes on USB 3. What was started without any controller gets one only at the next start, which the plan of a change says. */
function pointerLive({ usbController, display }: MachineDefinition): HardwareProperty['live'] {
  if (display.model === 'none') return { possible: false, reason: 'The machine has no display, and so no pointer.' }
  return usbController === 'xhci' ? live : { possible: false, reason: 'The tablet comes and goes while the machine runs on the USB 3 controller only.' }
}

/** Why nobody draws for the guest; null: somebody can. */
function drawingObstacle({ model }: MachineDefinition['display'], surroundings: HardwareSurroundings): string | null {
  const { host, qemu } = surroundings
  if (model !== 'virtio-vga') return 'Only VirtIO graphics have it.'
  if (host.platform !== 'linux') return 'QEMU can only do it on Linux where its screen is not its own window.'
  const built = missing(surroundings, 'virtio-vga-gl', 'virtio-gpu-gl-device')
  if (built !== null) return `${built} It is often in a package of its own, such as qemu-system-modules-opengl or qemu-system-gui.`
  if (qemu.features['eglHeadless'] !== true) return `QEMU ${qemu.version} on this computer was built without OpenGL (egl-headless).`
  if (host.renderNode === 'missing') return 'This computer has no graphics processor that programs can draw with (/dev/dri/renderD128).'
  return host.renderNode === 'usable' ? null : 'You may not use this computer’s graphics processor (/dev/dri/renderD128). “sudo usermod -aG render $USER” and a new login let you.'
}

function portProperties(definition: MachineDefinition, surroundings: HardwareSurroundings): HardwareProperty[] {
  return [
    property('serialPorts', 'Serial ports', 'isa-serial', 'Consoles in text, each with a log. Linux calls the first ttyS0.', 'number', { minimum: 0, maximum: 4, obstacle: missing(surroundings, 'isa-serial') }),
    property('virtioConsoles', 'VirtIO consoles', 'virtconsole', 'Fast consoles in text, each with a log. Linux calls the first hvc0.', 'number', { live: channelsComeAndGo(definition), minimum: 0, maximum: 4, obstacle: missing(surroundings, 'virtio-serial-pci', 'virtconsole') }),
    property('usbController', 'USB controller', 'qemu-xhci', 'USB 3 is best; older systems know only older ones.', 'choice', { choices: choicesOf(usbControllers, surroundings) }),
    property('watchdog.model', 'Watchdog', '-device', 'Acts when the guest no longer says that it is well.', 'choice', { choices: choicesOf(watchdogModels, surroundings) }),
    property('watchdog.action', 'What the watchdog does', '-action watchdog', 'What happens to a guest that hangs.', 'choice', { ...(definition.watchdog === null ? {} : { live }), choices: choicesOf(watchdogActions, surroundings) }),
    ...tpmProperties(definition, surroundings),
    property('panicDevice', 'Panic device', 'pvpanic', 'The guest tells when its kernel has crashed, and it is shown here.', 'switch', { obstacle: missing(surroundings, 'pvpanic') }),
    property('randomNumbers', 'Random numbers from the host', 'virtio-rng-pci', 'The guest’s secrets are good ones from the first moment on.', 'switch', { live: comesAndGoes(definition), obstacle: missing(surroundings, 'virtio-rng-pci') }),
  ]
}

function tpmProperties({ tpm }: MachineDefinition, surroundings: HardwareSurroundings): HardwareProperty[] {
  const { qemu, host } = surroundings
  const none = host.platform === 'win32' ? 'There is no program for Windows that plays a TPM (swtpm) yet.' : null
  const noProgram = qemu.tpm?.program == null ? [qemu.tpm?.obstacle ?? 'The program that plays the TPM, swtpm, was not found on this computer.', qemu.tpm?.remedy ?? ''].join(' ').trim() : null
  const noBackend = qemu.features['tpmEmulator'] === true ? null : `QEMU ${qemu.version} on this computer was built without TPM.`
  const obstacle = none ?? noBackend ?? noProgram
  // One that is there already can be taken out.
  const fixed = tpm === null ? obstacle : null
  return [
    property('tpm.version', 'TPM', '-tpmdev emulator', 'A chip that keeps keys and measures what is started, as Windows 11 wants it.', 'choice', { choices: choicesOf(tpmVersions, surroundings).map((choice) => ({ ...choice, obstacle })), obstacle: fixed }),
    property('tpm.model', 'TPM model', '-device tpm-crb', 'How the guest reaches the TPM. CRB is today’s way; TIS is known to older systems too.', 'choice', { choices: choicesOf(tpmModels, surroundings), obstacle: fixed }),
    property('tpm.state', 'TPM’s state', 'swtpm --tpmstate', 'The folder in which the TPM keeps its keys. Take it out and put another in for a new one.', 'text', { obstacle: 'The keys of the guest are in it, so it stays where it is.' }),
  ]
}

function hostProperties(definition: MachineDefinition, surroundings: HardwareSurroundings): HardwareProperty[] {
  const stays = staysAsItIs(definition)
  const { host, qemu } = surroundings
  const vsock = host.platform !== 'linux' ? 'Only on Linux.' : (missing(surroundings, 'vhost-vsock-pci') ?? (host.vhostVsock ? null : 'This computer’s kernel offers none to you: /dev/vhost-vsock is not there or not yours. “sudo modprobe vhost_vsock” may help.'))
  const drivers = folderDriverChoices(surroundings)
  const shared = drivers.every(({ obstacle }) => obstacle !== null) ? (drivers.at(-1)?.obstacle ?? null) : null
  const usb = missing(surroundings, 'usb-host')
  const channels = channelsComeAndGo(definition)
  const passed = passthroughObstacle(surroundings)
  const clipboard = qemu.features['vdagent'] === true ? null : 'This QEMU was built without it.'
  return [
    property('guestAgent', 'Guest agent', 'org.qemu.guest_agent.0', 'A channel for qemu-guest-agent in the guest, which tells addresses and holds file systems still.', 'switch', { live: channels, obstacle: missing(surroundings, 'virtio-serial-pci', 'virtserialport') }),
    property('clipboard', 'Shared clipboard', 'qemu-vdagent', 'Copy here, paste there, with spice-vdagent in the guest.', 'switch', { live: definition.display.model === 'none' ? { possible: false, reason: 'It goes through the machine’s screen, and the machine has no display.' } : channels, obstacle: missing(surroundings, 'virtio-serial-pci', 'virtserialport') ?? clipboard }),
    property('vsock.cid', 'Sockets between guest and host', 'vhost-vsock-pci guest-cid', 'The guest’s number; each running machine has its own.', 'number', { minimum: 3, maximum: 4_294_967_294, live: stays, obstacle: vsock }),
    property('vsock.slot', 'Port', 'bus', 'The spare port that they were plugged into while the machine ran.', 'number', { minimum: 0, maximum: 31, obstacle: 'Ringside gives it when they are plugged in.' }),
    property('usbDevices.*.id', 'Name', 'id', 'What the device is called here and in QEMU.', 'text', { obstacle: usb }),
    property('usbDevices.*.vendorId', 'Vendor', 'usb-host vendorid', 'Four digits, as lsusb shows them. The guest gets the device whenever it is plugged in.', 'text', { obstacle: usb }),
    property('usbDevices.*.productId', 'Product', 'usb-host productid', 'Four digits, as lsusb shows them.', 'text', { obstacle: usb }),
    property('usbDevices.*.port', 'Only in the port', 'usb-host hostbus, hostport', 'The guest gets it only where it is plugged in there, such as 1-4.2. Empty: anywhere.', 'text', { obstacle: usb ?? (host.platform === 'linux' ? null : 'Ports are known by name on Linux only.') }),
    property('usbDevices.*.slot', 'Port in the guest', 'port', 'The port of the guest’s controller that it was plugged into while the machine ran.', 'number', { minimum: 0, maximum: 31, obstacle: 'Ringside gives it when a device is plugged in.' }),
    property('usbDevices.*.name', 'Description', 'name', 'What people call the device.', 'text', { obstacle: usb }),
    property('sharedFolders.*.id', 'Name', 'fsdev id', 'What the folder is called here and in QEMU.', 'text', { obstacle: shared }),
    property('sharedFolders.*.tag', 'Tag', 'mount_tag', 'The guest mounts it by that: mount -t virtiofs TAG /mnt, or mount -t 9p -o trans=virtio TAG /mnt.', 'text', { live: stays, obstacle: shared }),
    property('sharedFolders.*.path', 'Folder', '-fsdev path, virtiofsd --shared-dir', 'The folder of this computer. While it is mounted the machine’s memory can’t be saved.', 'text', { live: stays, obstacle: shared }),
    property('sharedFolders.*.readOnly', 'Read-only', 'readonly', 'The guest can’t write to it.', 'switch', { live: stays, obstacle: shared }),
    property('sharedFolders.*.driver', 'Way', 'vhost-user-fs-pci, virtio-9p-pci', 'How the guest reaches it. virtiofs is faster, and a machine with it is not saved to disk: its snapshots are of the disks.', 'choice', { choices: shared === null ? drivers : drivers.map((driver) => ({ ...driver, obstacle: null })), live: stays, obstacle: shared }),
    property('sharedFolders.*.slot', 'Port', 'bus', 'The spare port that it was plugged into while the machine ran.', 'number', { minimum: 0, maximum: 31, obstacle: 'Ringside gives it when a folder is shared.' }),
    property('pciDevices.*.id', 'Name', 'id', 'What the device is called here and in QEMU.', 'text', { obstacle: passed }),
    property('pciDevices.*.address', 'Device', 'vfio-pci host', 'Where it is on this computer. The guest has it to itself while the machine runs.', 'text', { live: stays, obstacle: passed }),
    property('pciDevices.*.name', 'Description', 'name', 'What people call the device.', 'text', { obstacle: passed }),
    property('pciDevices.*.slot', 'Port in the guest', 'bus', 'The spare port that it was plugged into while the machine ran.', 'number', { minimum: 0, maximum: 31, obstacle: 'Ringside gives it when a device is plugged in.' }),
    property('rawArguments', 'Arguments of your own', 'qemu-system-x86_64 …', 'Passed to QEMU as they are, after all others. What they do is not looked after.', 'list'),
  ]
}

/** Of the machine’s own devices, whose places are kept. */
function comesAndGoes({ machineType }: MachineDefinition): HardwareProperty['live'] {
  return boardOf(machineType).pcie ? live : { possible: false, reason: 'The machine’s board takes nothing while it runs, and lets nothing go; that of the type q35 does.' }
}

/** Of what is on the controller of channels. */
function channelsComeAndGo(definition: MachineDefinition): HardwareProperty['live'] {
  return hasChannels(definition) ? live : comesAndGoes(definition)
}

/** Of what comes and goes whole. */
function staysAsItIs({ machineType }: MachineDefinition): HardwareProperty['live'] {
  return boardOf(machineType).pcie ? { possible: false, reason: 'What the guest has stays as it is until the next start; taken out and added anew it changes at once.' } : atNextStart
}

/** Why no device of this computer’s PCI buses can be given to a guest, a sentence; null: some may. */
function passthroughObstacle(surroundings: HardwareSurroundings): string | null {
  const { host, accelerator } = surroundings
  if (host.pciProblem !== null) return [host.pciProblem.message, host.pciProblem.remedy].filter(Boolean).join(' ')
  if (accelerator !== 'kvm') return 'Only with KVM: no other accelerator gives a guest’s memory to a device.'
  return missing(surroundings, 'vfio-pci')
}

function missing({ qemu }: HardwareSurroundings, ...devices: string[]): string | null {
  const lacking = devices.filter((device) => !qemu.devices.includes(device))
  return lacking.length === 0 ? null : `QEMU ${qemu.version} on this computer was built without ${lacking.join(', ')}.`
}
