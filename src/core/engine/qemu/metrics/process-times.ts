import { readFile } from 'node:fs/promises'
import pidusage from 'pidusage'

/** What the operating system tells of the QEMU process. null: it does not tell. */
export interface ProcessTimes {
  /** Processor time of the whole process so far, seconds. */
  processSeconds: number | null
  /** Processor use now in cores, where only that is told. */
  processCores: number | null
  residentBytes: number | null
  /** Processor time of all virtual processors' threads so far, seconds. */
  vcpuSeconds: number | null
}

const unknown: ProcessTimes = { processSeconds: null, processCores: null, residentBytes: null, vcpuSeconds: null }

/** Linux tells times to user space in ticks of USER_HZ, which is 100 on x86 and arm64 [proc(5)]. */
const ticksPerSecond = 100

export async function readProcessTimes(pid: number, vcpuThreads: readonly number[]): Promise<ProcessTimes> {
  try {
    return await (process.platform === 'linux' ? readProc(pid, vcpuThreads) : askSystem(pid))
  } catch {
    return unknown
  }
}

async function readProc(pid: number, vcpuThreads: readonly number[]): Promise<ProcessTimes> {
  const folder = `/proc/${String(pid)}`
  const [stat, status, ...threads] = await Promise.all([
    readFile(`${folder}/stat`, 'utf8'),
    readFile(`${folder}/status`, 'utf8'),
    ...vcpuThreads.map((thread) => readFile(`${folder}/task/${String(thread)}/schedstat`, 'utf8')),
  ])
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const resident = /^VmRSS:\s+(\d+) kB$/mu.exec(status)?.[1]
  // schedstat's first number is time on the processor in nanoseconds [Documentation/scheduler/sched-stats].
  const nanoseconds = threads.map((line) => Number(line.split(' ')[0]))
  return {
    processSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    processCores: null,
    residentBytes: resident === undefined ? null : Number(resident) * 1024,
    vcpuSeconds: vcpuThreads.length === 0 ? null : nanoseconds.reduce((sum, value) => sum + value, 0) / 1e9,
  }
}

/** macOS and Windows tell no thread's time without rights. */
async function askSystem(pid: number): Promise<ProcessTimes> {
  const { cpu, memory } = await pidusage(pid)
  return { processSeconds: null, processCores: cpu / 100, residentBytes: memory, vcpuSeconds: null }
}
