import { constants } from 'node:fs'
import { access, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { errnoOf } from '../../../config'

/** Where the kernel limits processor time, and Ringside may make groups of its own [Linux: cgroup-v2.rst; cgroup-v1, sched-bwc.rst]. */
export interface ControlGroups {
  version: 1 | 2
  /** The group in which a machine's own is made. */
  parent: string
}

/** The limit counts in pieces of this, microseconds. */
const periodUs = 100_000

/**
 * The groups that limits can be made in. A group with processes of its own can't be divided, so under version 2 it is the nearest one above this process's that gives the processor's controller to those below it,
 * and that the user may write to: as a user's session, a service with delegation, or a container gives it.
 * @param root of the file system, for tests
 * @returns otherwise why there are none, a sentence
 */
export async function findControlGroups(platform: NodeJS.Platform = process.platform, root = '/'): Promise<ControlGroups | string> {
  if (platform === 'darwin') return 'macOS has no limit of processor time for a program that runs.'
  if (platform !== 'linux') return 'Only Linux has it, by its control groups.'
  const mounts = await mountsOf(root)
  const own = await pathsOf(root, 'self')
  for (const { version, point, base } of mounts) {
    const path = version === 2 ? own.unified : own.cpu
    const below = path === null ? null : relative(base, path)
    if (below === null || below.startsWith('..')) continue
    let folder = join(root, point, below)
    if (version === 1) {
      if (await isOurs(folder)) return { version, parent: folder }
      continue
    }
    for (const top = join(root, point); ; folder = dirname(folder)) {
      const given = await readFile(join(folder, 'cgroup.subtree_control'), 'utf8').catch(() => '')
      if (given.split(/\s+/u).includes('cpu') && (await isOurs(folder))) return { version, parent: folder }
      if (folder === top || folder.length <= top.length) break
    }
  }
  return mounts.length === 0
    ? 'This computer’s kernel shows no control groups with a controller of processor time.'
    : 'This computer gives you no control group for processor time; an administrator can (systemd: Delegate=cpu).'
}

async function isOurs(folder: string): Promise<boolean> {
  const mayWrite = (path: string): Promise<boolean> => access(path, constants.W_OK).then(() => true, () => false)
  return (await mayWrite(folder)) && (await mayWrite(join(folder, 'cgroup.procs')))
}

interface Mount { version: 1 | 2; point: string; base: string }

/** Mounts with the processor's controller; version 2 first. Fields as in proc(5), mountinfo. */
async function mountsOf(root: string): Promise<Mount[]> {
  const lines = (await readFile(join(root, 'proc/self/mountinfo'), 'utf8').catch(() => '')).split('\n')
  const mounts = lines.flatMap((line): Mount[] => {
    const [own = '', file = ''] = line.split(' - ')
    const [type, , options = ''] = file.split(' ')
    const [, , , base = '', point = ''] = own.split(' ')
    if (type === 'cgroup2') return [{ version: 2, point, base }]
    return type === 'cgroup' && options.split(',').includes('cpu') ? [{ version: 1, point, base }] : []
  })
  return mounts.toSorted((a, b) => b.version - a.version)
}

/** In which groups a process is. */
async function pathsOf(root: string, process: string): Promise<{ unified: string | null; cpu: string | null }> {
  const lines = (await readFile(join(root, 'proc', process, 'cgroup'), 'utf8').catch(() => '')).split('\n').map((line) => /^\d+:([^:]*):(.*)$/u.exec(line))
  const pathOf = (isMeant: (controllers: string) => boolean): string | null => lines.find((match) => match !== null && isMeant(match[1] ?? ''))?.[2] ?? null
  return { unified: pathOf((controllers) => controllers === ''), cpu: pathOf((controllers) => controllers.split(',').includes('cpu')) }
}

/**
 * Limits the processor time of a process with all its threads, from now on.
 * @param name of its group; one that is there already is used
 * @param percent of one processor
 * @returns the group's folder
 */
export async function limitProcessorTime({ version, parent }: ControlGroups, { name, pid, percent }: { name: string; pid: number; percent: number }): Promise<string> {
  const folder = join(parent, name)
  await mkdir(folder).catch((error: unknown) => {
    if (errnoOf(error) !== 'EEXIST') throw error
  })
  await writeLimit(folder, version, Math.round((percent / 100) * periodUs))
  await writeFile(join(folder, 'cgroup.procs'), String(pid))
  return folder
}

async function writeLimit(folder: string, version: 1 | 2, quotaUs: number | null): Promise<void> {
  if (version === 2) {
    await writeFile(join(folder, 'cpu.max'), `${quotaUs === null ? 'max' : String(quotaUs)} ${String(periodUs)}`)
    return
  }
  await writeFile(join(folder, 'cpu.cfs_period_us'), String(periodUs))
  await writeFile(join(folder, 'cpu.cfs_quota_us'), String(quotaUs ?? -1))
}

/** The group of that name that a process is in, which a host before may have made elsewhere; null: none. */
export async function groupOf(pid: number, name: string, root = '/'): Promise<{ version: 1 | 2; folder: string } | null> {
  const paths = await pathsOf(root, String(pid))
  for (const { version, point, base } of await mountsOf(root)) {
    const path = version === 2 ? paths.unified : paths.cpu
    if (path?.endsWith(`/${name}`) === true) return { version, folder: join(root, point, relative(base, path)) }
  }
  return null
}

/** Takes the limit of a process away that it was given; nothing where it has none. */
export async function freeProcessorTime(pid: number, name: string): Promise<void> {
  const group = await groupOf(pid, name)
  if (group !== null) await writeLimit(group.folder, group.version, null)
}

/** Removes the group of a process that is gone. One that can't be, or is in use, only takes a name. */
export async function removeGroup(folder: string): Promise<void> {
  await rmdir(folder).catch(() => undefined)
}
