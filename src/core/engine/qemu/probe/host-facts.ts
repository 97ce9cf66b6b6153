import { access, constants, readFile, stat } from 'node:fs/promises'
import { arch as hostArch, release, userInfo } from 'node:os'

/** What the host is like, as far as it decides over accelerators. */
export interface HostFacts {
  platform: NodeJS.Platform
  arch: string
  /** Of the kernel: part of what a proof holds for. */
  kernel: string
  inVirtualMachine: boolean
  kvm: {
    device: 'usable' | 'missing' | 'forbidden'
    /** Whose virtualization the processor offers; null: none. */
    processor: 'intel' | 'amd' | null
    moduleLoaded: boolean
    owner: string
    group: string | null
    /** Members of the group may read and write. */
    groupMayUse: boolean
    /** The user is a member by /etc/group, whether or not this session knows. */
    inGroup: boolean
  }
}

const kvmPath = '/dev/kvm'

export async function readHostFacts(platform: NodeJS.Platform = process.platform): Promise<HostFacts> {
  const flags = platform === 'linux' ? await cpuFlags() : new Set<string>()
  return { platform, arch: hostArch(), kernel: release(), inVirtualMachine: flags.has('hypervisor'), kvm: await kvmFacts(flags) }
}

async function kvmFacts(flags: ReadonlySet<string>): Promise<HostFacts['kvm']> {
  const processor = flags.has('vmx') ? 'intel' : flags.has('svm') ? 'amd' : null
  const moduleLoaded = await access('/sys/module/kvm').then(() => true, () => false)
  const found = await stat(kvmPath).catch(() => null)
  if (found === null) return { device: 'missing', processor, moduleLoaded, owner: '', group: null, groupMayUse: false, inGroup: false }
  const usable = await access(kvmPath, constants.R_OK | constants.W_OK).then(() => true, () => false)
  const groups = await readFile('/etc/group', 'utf8').catch(() => '')
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '')
  const group = groupOf(groups, found.gid)
  return {
    device: usable ? 'usable' : 'forbidden',
    processor,
    moduleLoaded,
    owner: users.split('\n').find((line) => line.split(':')[2] === String(found.uid))?.split(':')[0] ?? String(found.uid),
    group: group?.name ?? null,
    groupMayUse: (found.mode & 0o060) === 0o060 && found.gid !== 0,
    inGroup: group?.members.includes(userInfo().username) ?? false,
  }
}

/** A group's name and members out of /etc/group. */
export function groupOf(groups: string, gid: number): { name: string; members: string[] } | null {
  const fields = groups.split('\n').map((line) => line.split(':')).find((line) => line[2] === String(gid))
  return fields === undefined ? null : { name: fields[0] ?? '', members: (fields[3] ?? '').split(',').filter((name) => name !== '') }
}

async function cpuFlags(): Promise<Set<string>> {
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => '')
  return new Set((/^flags\s*:\s*(.*)$/mu.exec(text)?.[1] ?? '').split(' '))
}
