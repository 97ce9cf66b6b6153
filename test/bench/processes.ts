import { readFileSync } from 'node:fs'

/** Clock ticks a second of /proc/PID/stat: USER_HZ, 100 on every Linux that Node runs on [proc(5)]. */
const ticksPerSecond = 100

/** Processor time that the process has used so far, in seconds (user and system). */
export function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
  // The command's name may hold spaces and brackets; fields count from behind its last bracket (user time is field 14).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** Resident memory in MiB, and the proportional share of it (pages that others have too count in part). */
export function memoryMiB(pid: number): { resident: number; proportional: number } {
  const rollup = readFileSync(`/proc/${String(pid)}/smaps_rollup`, 'utf8')
  const read = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'mu').exec(rollup)?.[1] ?? Number.NaN) / 1024
  return { resident: read('Rss'), proportional: read('Pss') }
}
