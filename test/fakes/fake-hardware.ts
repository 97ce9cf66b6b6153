import type { Hardware } from '@core/app/services'
import { planChange, type PresentHardware } from '@core/hardware/apply'
import { hardwareOf, isSameHardware, parseHardware, refuseFaults, withHardware } from '@core/hardware/hardware'
import { planLive } from '@core/hardware/live-plan'
import { nvramIssues, withNvramPlace, withOwnNvram } from '@core/hardware/nvram'
import { waitingFor } from '@core/hardware/waiting'
import { withLiveChange } from '@core/engine/live-change'
import { compareDefinitions } from '@core/snapshot/compare'
import { RingsideError, type Issue } from '@shared/errors'
import {
  type Disk, type DiskBus, type HardwareChoice, type HardwareDifference, type HardwareProperty, isLive, type MachineDefinition, type MachineHardware, type MachineView, whyRefused,
} from '@shared/model'
import type { FakeTrees } from './fake-trees'

/** The memory of the computer that is pretended, MiB. */
const hostMemoryMiB = 16_384

/** Hardware that is changed in memory: what can be live is live, the rest waits for the next start, and earlier forms are kept. `kept`: ids of what guests do not let go of. */
export function createFakeHardware(trees: FakeTrees, kept: readonly string[] = []): Hardware {
  const { machines } = trees
  const versions = new Map<string, { id: string; until: string; hardware: MachineHardware }[]>()
  let count = 0

  const storedOf = (machine: MachineView): MachineDefinition => withHardware(machine.definition, machine.next ?? hardwareOf(machine.definition))
  const runs = (machine: MachineView): boolean => isLive(machine.state)

  const planFor = (machine: MachineView, hardware: MachineHardware): { hardware: MachineHardware; runs: MachineDefinition; differences: HardwareDifference[] } => {
    const stored = storedOf(machine)
    if (machine.state === 'saved') {
      const plan = planChange(savedGuest(machine), stored, withOwnNvram(hardware, stored))
      return { hardware: plan.hardware, runs: plan.changes.reduce(withLiveChange, machine.definition), differences: plan.differences }
    }
    if (!runs(machine)) {
      const { hardware: wanted, differences } = planChange(null, stored, withOwnNvram(hardware, stored))
      const placed = withNvramPlace(wanted)
      return { hardware: placed, runs: withHardware(stored, placed), differences }
    }
    const plan = planLive(machine.definition, stored, hardware, 'tcg')
    return { hardware: plan.hardware, runs: plan.changes.reduce(withLiveChange, machine.definition), differences: plan.differences }
  }

  const savedGuest = ({ definition }: MachineView): PresentHardware => ({ definition, accelerator: 'tcg', isSaved: true })
  const presentOf = (machine: MachineView): PresentHardware | null => (machine.state === 'saved' ? savedGuest(machine) : runs(machine) ? { ...savedGuest(machine), isSaved: false } : null)

  const issuesOf = (machine: MachineView, hardware: MachineHardware): Issue[] => {
    const issues: Issue[] = []
    const why = whyRefused('changeHardware', machine)
    if (why !== null) issues.push({ path: '', message: why, code: 'ILLEGAL_STATE', severity: 'error' })
    if (hardware.memoryMiB > hostMemoryMiB) issues.push({ path: 'memoryMiB', message: `This computer has ${String(hostMemoryMiB)} MiB of memory; choose less.`, received: String(hardware.memoryMiB), severity: 'error' })
    const stored = storedOf(machine)
    issues.push(...nvramIssues(withOwnNvram(hardware, stored), stored, runs(machine) || machine.state === 'saved' ? machine.definition : null))
    const seen = new Set<string>()
    for (const [list, devices] of [['disks', hardware.disks], ['cdroms', hardware.cdroms], ['nics', hardware.nics]] as const) {
      for (const [index, { id }] of devices.entries()) {
        if (seen.has(id)) issues.push({ path: `${list}.${String(index)}.id`, message: `Two devices of the machine have the id “${id}”; each needs its own.`, received: id, severity: 'error' })
        seen.add(id)
      }
    }
    return issues
  }

  const remember = (machine: MachineView): void => {
    count += 1
    const version = { id: `v${String(count)}`, until: new Date().toISOString(), hardware: hardwareOf(storedOf(machine)) }
    versions.set(machine.id, [version, ...(versions.get(machine.id) ?? [])].slice(0, 50))
  }

  const put = (machine: MachineView, plan: ReturnType<typeof planFor>): void => {
    remember(machine)
    const same = isSameHardware(plan.hardware, hardwareOf(plan.runs))
    machines.set(machine.id, { definition: plan.runs, next: same ? null : plan.hardware })
  }

  const find = (id: string, versionId: string): { hardware: MachineHardware } => {
    const found = versions.get(id)?.find((version) => version.id === versionId)
    if (found === undefined) throw new RingsideError('NOT_FOUND', `“${machines.get(id).definition.name}” has no earlier hardware with the id ${versionId}.`)
    return found
  }

  return {
    // eslint-disable-next-line @typescript-eslint/require-await
    async properties(id) {
      return fakeProperties(machines.get(id))
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    async plan(id, raw) {
      const machine = machines.get(id)
      const { hardware, issues } = parseHardware(raw)
      const waiting = waitingFor(presentOf(machine), storedOf(machine))
      return hardware === null ? { differences: [], waiting, issues } : { differences: planFor(machine, hardware).differences, waiting, issues: issuesOf(machine, hardware) }
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    async change(id, raw, basedOn) {
      const machine = trees.require(id, 'changeHardware')
      const { hardware, issues } = parseHardware(raw)
      refuseFaults(issues)
      if (hardware === null) return []
      refuseFaults(issuesOf(machine, hardware))
      if (!isSameHardware(basedOn, hardwareOf(storedOf(machine)))) {
        throw new RingsideError('ILLEGAL_STATE', `The hardware of “${machine.definition.name}” was changed by somebody else meanwhile; nothing of yours was changed.`, { hint: 'Look at it as it is now, and make your changes again.' })
      }
      const plan = withoutKept(planFor(machine, hardware), machine.definition, kept)
      if (plan.differences.length > 0) put(machine, plan)
      return plan.differences
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    async discardPending(id) {
      const machine = trees.require(id, 'changeHardware')
      if (machine.next === null) return
      remember(machine)
      machines.set(id, { next: null })
    },
    async addDisk(id, { source, bus, readOnly, encrypted = false }, reporter) {
      trees.require(id, 'changeHardware')
      if (source.kind !== 'new' && source.path.includes('missing')) throw new RingsideError('FILE_NOT_FOUND', `There is no file ${source.path}.`, { path: source.path, hint: 'Check the path.' })
      await trees.task(id, 'hardware', [source.kind === 'copy' ? 'Copying the image' : 'Making the disk'], reporter, () => {
        const machine = machines.get(id)
        const stored = hardwareOf(storedOf(machine))
        put(machine, planFor(machine, { ...stored, disks: [...stored.disks, { ...fakeDisk(freeId(stored), bus, readOnly, source), encrypted }] }))
      })
    },
    async removeDisk(id, { diskId }, reporter) {
      const machine = trees.require(id, 'changeHardware')
      if (!storedOf(machine).disks.some((disk) => disk.id === diskId)) throw new RingsideError('NOT_FOUND', `“${machine.definition.name}” has no disk “${diskId}”.`)
      await trees.task(id, 'hardware', ['Taking the disk out'], reporter, () => {
        const now = machines.get(id)
        const stored = hardwareOf(storedOf(now))
        put(now, planFor(now, { ...stored, disks: stored.disks.filter((disk) => disk.id !== diskId), boot: { ...stored.boot, order: stored.boot.order.filter((device) => device !== diskId) } }))
      })
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    async history(id) {
      const stored = storedOf(machines.get(id))
      return (versions.get(id) ?? []).map(({ id: versionId, until, hardware }) => ({ id: versionId, until, differences: compareDefinitions(withHardware(stored, hardware), stored) }))
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    version: async (id, versionId) => find(id, versionId).hardware,
  }
}

/** A plan as it comes out where the guest keeps some of what it is asked for. */
function withoutKept<Plan extends { runs: MachineDefinition; differences: HardwareDifference[] }>(plan: Plan, { nics }: MachineDefinition, kept: readonly string[]): Plan {
  const stay = nics.filter(({ id }) => kept.includes(id) && !plan.runs.nics.some((nic) => nic.id === id))
  const differences = plan.differences.map((difference): HardwareDifference => {
    const nic = stay.find(({ id }) => difference.path === `nics.${id}`)
    return nic ? { ...difference, when: 'nextStart', reason: `The guest does not let go of “${nic.id}”: it did not answer, or refused. It is taken out when the guest lets go of it, when it restarts, or at the next start.` } : difference
  })
  return { ...plan, runs: { ...plan.runs, nics: [...plan.runs.nics, ...stay] }, differences }
}

function freeId({ disks }: MachineHardware): string {
  for (let number = 0; ; number++) if (!disks.some(({ id }) => id === `disk${String(number)}`)) return `disk${String(number)}`
}

function fakeDisk(id: string, bus: DiskBus, readOnly: boolean, source: { kind: 'new' } | { kind: 'use' | 'copy'; path: string; format: Disk['format'] }): Disk {
  const [image, format] = source.kind === 'use' ? [{ kind: 'external', path: source.path } as const, source.format] : [{ kind: 'own', path: `disks/${id}.qcow2` } as const, 'qcow2' as const]
  return { id, image, format, bus, readOnly, cache: 'auto', discard: true, detectZeroes: 'auto', aio: 'auto', serial: null, limits: null, slot: null, encrypted: false }
}

const property = (path: string, label: string, term: string, help: string, kind: HardwareProperty['kind'], changes: Partial<HardwareProperty> = {}): HardwareProperty => ({
  path, label, term, help, kind, choices: [], minimum: null, maximum: null, unit: null, live: { possible: false, reason: 'QEMU can’t change this while the machine runs.' }, obstacle: null, ...changes,
})
const live = { possible: true, reason: null }
const choice = (value: string, label: string, obstacle: string | null = null): HardwareChoice => ({ value, label, obstacle })

function fakeProperties({ definition }: MachineView): HardwareProperty[] {
  return [
    property('memoryMiB', 'Memory', '-m', 'What the machine has to work with.', 'number', { minimum: 1, maximum: hostMemoryMiB, unit: 'MiB' }),
    property('memory.hugePages', 'Huge pages', 'memory-backend-memfd,hugetlb=on', 'Saves the processor work with much memory.', 'switch', { obstacle: 'This computer has no huge pages set aside.' }),
    property('processors.cores', 'Cores', '-smp cores', 'How many programs run at the same time.', 'number', { minimum: 1, maximum: 8 }),
    property('processors.model', 'Processor model', '-cpu', 'What the guest takes its processor for.', 'choice', { choices: [choice('auto', 'Best available'), choice('max', 'All that can be had'), choice('Skylake-Server', 'Skylake-Server', 'This computer lacks avx512f.')] }),
    property('firmware.type', 'Firmware', '-machine pflash0', 'What starts the machine.', 'choice', { choices: [choice('uefi', 'UEFI'), choice('bios', 'BIOS')] }),
    property('firmware.secureBoot', 'Secure Boot', 'OVMF, enrolled keys', 'Starts only systems that are signed.', 'switch'),
    property('firmware.nvram', 'UEFI variables', '-machine pflash1', 'The file in which the firmware keeps its settings, its boot entries and its keys.', 'text', { obstacle: 'The machine’s snapshots hang on it, so it stays where it is.' }),
    property('clock', 'Clock', '-rtc base', 'What the guest believes its clock to show.', 'choice', { choices: [choice('utc', 'UTC'), choice('localtime', 'Local time')] }),
    property('boot.order', 'Starts from', 'bootindex', 'The devices that are tried, first to last.', 'list'),
    property('boot.menu', 'Boot menu', '-boot menu', 'Asks what to start from.', 'switch'),
    property('disks.*.bus', 'Connection', '-device', 'How the disk is connected.', 'choice', { choices: [choice('virtio-blk', 'VirtIO'), choice('virtio-scsi', 'VirtIO SCSI'), choice('sata', 'SATA'), choice('nvme', 'NVMe'), choice('sd', 'SD card', `${definition.machineType} has no slot for cards.`)] }),
    property('disks.*.readOnly', 'Read-only', 'read-only', 'The guest can’t write to it.', 'switch'),
    property('disks.*.limits', 'Limits', 'throttle-group', 'How much it may do in a second.', 'list', { live }),
    property('cdroms.*.image', 'Disc', 'blockdev-change-medium', 'The image in the drive.', 'text', { live }),
    property('nics.*.model', 'Model', '-device', 'The card that the guest sees.', 'choice', { choices: [choice('virtio-net', 'VirtIO'), choice('e1000e', 'Intel e1000e'), choice('rtl8139', 'Realtek 8139')] }),
    property('nics.*.linkUp', 'Cable', 'set_link', 'Whether its cable is plugged in.', 'switch', { live }),
    property('display.model', 'Display', '-device', 'The graphics card.', 'choice', { choices: [choice('virtio-vga', 'VirtIO'), choice('qxl-vga', 'QXL', 'This QEMU was built without it.'), choice('vga', 'Standard VGA'), choice('none', 'None')] }),
    property('sound.model', 'Sound', '-audio', 'The sound card.', 'choice', { choices: [choice('intel-hda', 'Intel HD Audio')] }),
    property('serialPorts', 'Serial ports', '-serial', 'For consoles of text.', 'number', { minimum: 0, maximum: 4 }),
    property('rawArguments', 'Arguments of your own', 'qemu-system', 'Passed on to QEMU as they are.', 'list'),
  ]
}
