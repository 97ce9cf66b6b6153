import { stateInWords, type MachineView, type MemoryMethod, type Snapshot, type SnapshotPlan, type SnapshotPolicy, type SnapshotTree } from '@shared/model'
import { facts, sizeInWords, table } from './output'
import { drawTree } from './snapshot-graph'
import { quotedForShell } from './words'

/** The machine that an answer about snapshots is about, as `--json` prints it. */
export function machineOf(machine: MachineView): { machineId: string; machineName: string } {
  return { machineId: machine.id, machineName: machine.definition.name }
}

/** A machine's or snapshot's name in a command to copy. @param id for a name that would be taken for an option */
export function argument(name: string, id: string): string {
  return name.startsWith('-') ? id.slice(0, 8) : quotedForShell(name)
}

/** `2026-11-04 12:02` on the clock on the wall. */
export function timeInWords(iso: string): string {
  const at = new Date(iso)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${String(at.getFullYear())}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`
}

/** The drawn tree. @param columns of the terminal, to which long names are cut; undefined: as long as they are */
export function treeInWords(tree: SnapshotTree, machine: MachineView, columns: number | undefined): string {
  const byId = new Map(tree.snapshots.map((snapshot) => [snapshot.id, snapshot]))
  const rows = drawTree(tree).map(({ graph, node }): string[] => {
    const snapshot = byId.get(node)
    if (snapshot) {
      const { name, takenAt, machineState, memory, sizeBytes, id } = snapshot
      return [`${graph} ${name}`, timeInWords(takenAt), stateInWords(machineState), memory ? sizeInWords(memory.sizeBytes) : '-', sizeInWords(sizeBytes), id.slice(0, 8), remarks(snapshot)]
    }
    return node === 'now' ? [`${graph} now`, '', stateInWords(machine.state), '', sizeInWords(tree.current.sizeBytes), '', ''] : [`${graph} (before the first)`, '', '', '', '', '', '']
  })
  const head = ['SNAPSHOT', 'TAKEN', 'MACHINE', 'MEMORY', 'SIZE', 'ID', '']
  return table(head, columns === undefined ? rows : cutToFit(rows, head, columns))
}

/** Shortens the first column so far that the lines fit, but never below what tells names apart. */
function cutToFit(rows: string[][], head: readonly string[], columns: number): string[][] {
  const others = head.slice(1).map((title, index) => Math.max(title.length, ...rows.map((row) => row[index + 1]?.length ?? 0)) + 2)
  const room = Math.max(24, columns - others.reduce((sum, width) => sum + width, 0))
  return rows.map(([first = '', ...rest]) => [first.length > room ? `${first.slice(0, room - 1).trimEnd()}…` : first, ...rest])
}

function remarks({ kind, clones, quiesced }: Snapshot): string {
  const parts = [kind === 'base' ? 'for clones' : '', clones.length > 0 ? `read by ${clones.map(({ name }) => name).join(', ')}` : '', quiesced ? 'file systems held still' : '']
  return parts.filter((part) => part !== '').join('; ')
}

const methods: Readonly<Record<MemoryMethod, string>> = {
  live: 'disks and memory; the guest goes on meanwhile',
  paused: 'disks and memory; the guest stands still meanwhile',
  none: 'disks only',
}

/** What would be kept and how, for before: ends with a full stop. @param memory whether it is wanted */
export function methodInWords({ memory: { method, reason } }: Pick<SnapshotPlan, 'memory'>, { state }: Pick<MachineView, 'state'>, memory: boolean): string {
  if (state === 'stopped' || state === 'crashed') return 'disks only; the machine is off.'
  if (!memory) return 'disks only, as asked.'
  const what = method !== 'none' && (state === 'paused' || state === 'saved') ? 'disks and memory' : methods[method]
  return `${what}.${reason === null ? '' : ` ${reason}`}`
}

/** What was kept and how, for after. */
export function keptInWords({ memory, pauseMs }: Snapshot): string {
  return `${memory ? `disks and memory (${sizeInWords(memory.sizeBytes)})` : 'disks only'}${pauseMs === null ? '' : `; the guest stood still for ${pauseMs < 1000 ? `${String(Math.round(pauseMs))} ms` : `${(pauseMs / 1000).toFixed(1)} s`}`}`
}

export function planInWords(plan: SnapshotPlan, machine: MachineView): string {
  const { memory, freeze, obstacles, estimatedBytes, issues } = plan
  return facts([
    ['Keeps', methodInWords({ memory }, machine, true)],
    ['--quiesce', freeze.available ? 'possible: the guest agent answers' : `not possible. ${freeze.reason ?? ''}`],
    ['Writes', estimatedBytes === null ? 'unknown' : `at most ${sizeInWords(estimatedBytes)}`],
    ...obstacles.map(({ diskId, reason, convertible }) => [`Disk ${diskId}`, `${reason}${/[.!?]$/u.test(reason) ? '' : '.'}${convertible ? ` ringside snapshot convert-disks ${argument(machine.definition.name, machine.id)} mends that.` : ''}`] as const),
    ...issues.map(({ severity, message }) => [severity === 'error' ? 'Not now' : 'Note', message] as const),
  ])
}

export function snapshotInWords(snapshot: Snapshot, parent: Snapshot | undefined): string {
  const { memory } = snapshot
  return facts([
    ['Name', snapshot.name],
    ['Description', snapshot.description],
    ['Taken', `${timeInWords(snapshot.takenAt)} (${snapshot.takenAt})`],
    ['Kind', { manual: 'taken by hand', automatic: 'automatic', base: 'taken for a clone' }[snapshot.kind]],
    ['Machine', `was ${stateInWords(snapshot.machineState)}`],
    ['Kept', keptInWords(snapshot)],
    ['Memory', memory && `${memory.format}${memory.compression === 'none' ? '' : `, ${memory.compression}`}, QEMU ${memory.qemuVersion}, ${memory.accelerator}`],
    ['Quiesced', snapshot.quiesced ? 'yes: the guest agent held the file systems still' : null],
    ...snapshot.notes.map((note) => ['Note', note] as const),
    ['Size', sizeInWords(snapshot.sizeBytes)],
    ['Screen', snapshot.hasScreen ? 'yes' : 'no'],
    ['After', parent && `${parent.name} (${parent.id.slice(0, 8)})`],
    ['Clones', snapshot.clones.map(({ name }) => name).join(', ')],
    ['Id', snapshot.id],
  ])
}

export function policyInWords({ every, keep, memory }: SnapshotPolicy): string {
  const kept = ([[keep.hourly, 'hour'], [keep.daily, 'day'], [keep.weekly, 'week']] as const)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => (count === 1 ? `the newest of the last ${unit}` : `one of each of the last ${String(count)} ${unit}s`))
  return `every ${every}, ${memory ? 'with' : 'without'} memory; keeps ${kept.join(', ')}`
}
