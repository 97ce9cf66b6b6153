import { readdir, readFile, readlink } from 'node:fs/promises'

export interface RunningProcess {
  pid: number
  commandLine: string
}

/**
 * Processes that name `text` (a test's own temporary folder, say) in their command line, environment or working folder, this one
 * left out. What a test started must be gone when it ends: `expect(await processesNaming(folder)).toEqual([])`.
 * Linux only, as the guest tests are: elsewhere the list is empty.
 */
export async function processesNaming(text: string): Promise<RunningProcess[]> {
  const entries = await readdir('/proc').catch(() => [])
  const pids = entries.map(Number).filter((pid) => pid > 0 && pid !== process.pid)
  const found = await Promise.all(pids.map((pid) => inspect(pid, text)))
  return found.filter((entry) => entry !== null)
}

async function inspect(pid: number, text: string): Promise<RunningProcess | null> {
  const read = (name: string): Promise<string> => readFile(`/proc/${String(pid)}/${name}`, 'utf8').catch(() => '')
  const [commandLine, environment, folder, status] = await Promise.all([
    read('cmdline'),
    read('environ'),
    readlink(`/proc/${String(pid)}/cwd`).catch(() => ''),
    read('stat'),
  ])
  // The state follows the name in brackets; a zombie is gone but for its parent's interest.
  if (/\) Z /.test(status)) return null
  return [commandLine, environment, folder].some((place) => place.includes(text))
    ? { pid, commandLine: commandLine.replaceAll('\0', ' ').trim() }
    : null
}
