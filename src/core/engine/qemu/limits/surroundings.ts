import { constants } from 'node:fs'
import { access, readdir, readFile } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import type { AcceleratorName, AcceleratorReport, HostDeviceObstacle, HostPciDevice, QemuReport } from '@shared/model'
import { listPciDevices } from '../../../host-devices'
import { findControlGroups } from '../process/control-groups'
import { askVirtiofs, type VirtiofsReport } from '../virtiofs'

/** What this computer is like, as far as it decides over hardware. */
export interface HardwareHost {
  platform: NodeJS.Platform
  logicalProcessors: number
  memoryMiB: number
  /** The pool of huge pages of the usual size; null: the system has none. */
  hugePages: { pageMiB: number; free: number } | null
  /** Whether the user may open `/dev/vhost-vsock`. */
  vhostVsock: boolean
  /** A graphics processor that programs may draw with, without a screen [Linux: drm-uapi.rst, render nodes]; `forbidden`: not by this user. */
  renderNode: 'usable' | 'forbidden' | 'missing'
  /** Why no machine's processor time can be limited, a sentence; null: it can. */
  processorTimeObstacle: string | null
  /** Sharing folders through virtiofs, as this computer’s virtiofsd answered and proved. */
  virtiofs: VirtiofsReport
  /** The devices on PCI buses, each judged, and why none can be given away. */
  pci: HostPciDevice[]
  pciProblem: HostDeviceObstacle | null
  /** How much memory the user may keep from being swapped out, MiB; null: as much as there is [getrlimit(2), RLIMIT_MEMLOCK]. */
  lockableMiB: number | null
}

/** All that hardware depends on beside its definition: plain data. */
export interface HardwareSurroundings {
  qemu: QemuReport
  accelerators: readonly AcceleratorReport[]
  /** The one that the machine gets, or has. */
  accelerator: AcceleratorName
  host: HardwareHost
}

export const vsockPath = '/dev/vhost-vsock'

/** @param qemuPath the emulator: virtiofsd may lie beside it */
export async function readHardwareHost(qemuPath: string, platform: NodeJS.Platform = process.platform): Promise<HardwareHost> {
  const linux = platform === 'linux'
  const noNode: HardwareHost['renderNode'] = 'missing'
  const [vhostVsock, meminfo, renderNode, virtiofs, groups, passed, ownLimits] = await Promise.all([
    linux ? mayUse(vsockPath) : false,
    linux ? readFile('/proc/meminfo', 'utf8').catch(() => '') : '',
    linux ? findRenderNode('/dev/dri') : noNode,
    askVirtiofs(qemuPath, platform),
    findControlGroups(platform),
    listPciDevices(platform),
    linux ? readFile('/proc/self/limits', 'utf8').catch(() => '') : '',
  ])
  return { platform, logicalProcessors: availableParallelism(), memoryMiB: Math.floor(totalmem() / 2 ** 20), hugePages: hugePagesOf(meminfo), vhostVsock, renderNode, processorTimeObstacle: typeof groups === 'string' ? groups : null, virtiofs, ...passed, lockableMiB: lockableMiBOf(ownLimits) }
}

function mayUse(path: string): Promise<boolean> {
  return access(path, constants.R_OK | constants.W_OK).then(() => true, () => false)
}

/** The best that can be said of the render nodes in a folder. */
export async function findRenderNode(folder: string): Promise<HardwareHost['renderNode']> {
  const nodes = (await readdir(folder).catch(() => [])).filter((name) => /^renderD\d+$/u.test(name))
  if (nodes.length === 0) return 'missing'
  const usable = await Promise.all(nodes.map((name) => mayUse(join(folder, name))))
  return usable.includes(true) ? 'usable' : 'forbidden'
}

/** The limit that is in force, out of `/proc/self/limits` [proc(5)]; root has none. */
export function lockableMiBOf(limits: string, isRoot = process.getuid?.() === 0): number | null {
  const bytes = /^Max locked memory\s+(\d+)/mu.exec(limits)?.[1]
  return bytes === undefined || isRoot ? null : Math.floor(Number(bytes) / 2 ** 20)
}

/** The pool, out of `/proc/meminfo` [Linux: hugetlbpage.rst]. */
export function hugePagesOf(meminfo: string): HardwareHost['hugePages'] {
  const number = (name: string): number => Number(new RegExp(String.raw`^${name}:\s+(\d+)`, 'mu').exec(meminfo)?.[1] ?? 0)
  if (number('HugePages_Total') === 0) return null
  return { pageMiB: number('Hugepagesize') / 1024, free: number('HugePages_Free') }
}
