import { readFile, statfs } from 'node:fs/promises'
import { arch, availableParallelism, cpus, freemem, hostname, platform, totalmem, version as systemVersion } from 'node:os'
import type { HostInfo } from '@shared/model'

/** What this computer is, as far as Node knows it without starting another program. */
export async function hostInfo(own: { version: string; shell: HostInfo['shell']; dataFolder: string; libraryFolder: string }): Promise<HostInfo> {
  const [osName, disk] = await Promise.all([systemName(), statfs(own.libraryFolder)])
  // In a container the limit of its control group counts, not the memory of the computer.
  const limit = process.constrainedMemory()
  const total = limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  const mebibytes = (bytes: number): number => Math.floor(bytes / 2 ** 20)
  return {
    ...own,
    platform: platform(),
    arch: arch(),
    hostName: hostname(),
    osName,
    processorModel: cpus()[0]?.model.trim() ?? 'unknown',
    logicalProcessors: availableParallelism(),
    memoryMiB: mebibytes(total),
    freeMemoryMiB: mebibytes(Math.min(freemem(), total)),
    libraryFreeBytes: disk.bavail * disk.bsize,
  }
}

/** E.g. `Debian GNU/Linux 12 (bookworm)` (os-release(5)); elsewhere what the kernel calls itself. */
async function systemName(): Promise<string> {
  if (platform() === 'linux') {
    const text = await readFile('/etc/os-release', 'utf8').catch(() => '')
    const name = /^PRETTY_NAME=(.*)$/mu.exec(text)?.[1]?.replace(/^["']|["']$/gu, '')
    if (name !== undefined && name !== '') return name
  }
  return systemVersion()
}
