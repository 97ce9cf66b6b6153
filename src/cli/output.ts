import { processorCount, stateInWords, taskInWords, type MachineView } from '@shared/model'

/** A machine as `--json` prints it: name and state first, then all that the host knows. Fields are only ever added. */
export function machineAsJson(machine: MachineView): object {
  return { name: machine.definition.name, ...machine }
}

/** Columns that are as wide as their widest cell, the last one excepted. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string => cells.map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ').trimEnd()
  return [head, ...rows].map((row) => `${line(row)}\n`).join('')
}

/** Name and value in two columns; rows without a value are left out. */
export function facts(rows: readonly (readonly [string, string | null | undefined])[]): string {
  const shown = rows.filter((row): row is readonly [string, string] => row[1] !== null && row[1] !== undefined && row[1] !== '')
  const width = Math.max(0, ...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${name.padEnd(width)}  ${value.replaceAll('\n', `\n${' '.repeat(width + 2)}`)}\n`).join('')
}

/** Binary units, three figures: `1.50 GiB`. */
export function sizeInWords(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  let size = bytes
  let unit = 0
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit++
  }
  return `${unit === 0 ? String(size) : size.toPrecision(size >= 1000 ? 4 : 3)} ${units[unit] ?? ''}`
}

/** `3 d 4 h`, `5 min 2 s`: the two largest units. */
export function durationInWords(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  const parts: [number, string][] = [[Math.floor(seconds / 86_400), 'd'], [Math.floor(seconds / 3600) % 24, 'h'], [Math.floor(seconds / 60) % 60, 'min'], [seconds % 60, 's']]
  const first = parts.findIndex(([count]) => count > 0)
  if (first < 0) return '0 s'
  return parts.slice(first, first + 2).filter(([count]) => count > 0).map(([count, unit]) => `${String(count)} ${unit}`).join(' ')
}

/** What a machine is beside its state, a few words each: a template, a clone, a task at work. */
export function traitsOf({ definition: { template, origin }, task, run }: MachineView): string[] {
  return [
    ...(template ? ['template'] : []),
    ...(origin === null ? [] : [`${origin.kind === 'linked' ? 'linked clone' : 'clone'} of ${origin.machineName}`]),
    ...(run?.disposable === true ? ['disposable run'] : []),
    ...(task === null ? [] : [taskInWords(task)]),
  ]
}

export function machineTable(machines: readonly MachineView[], now: number): string {
  return table(
    ['NAME', 'STATE', 'FOR', 'CPUS', 'MEMORY', 'SYSTEM', 'ID', ''],
    machines.map((machine) => [
      machine.definition.name,
      stateInWords(machine.state),
      durationInWords(now - Date.parse(machine.stateSince)),
      String(processorCount(machine.definition.processors)),
      sizeInWords(machine.definition.memoryMiB * 2 ** 20),
      machine.definition.osId,
      machine.id.slice(0, 8),
      traitsOf(machine).join('; '),
    ]),
  )
}
