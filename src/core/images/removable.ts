import { readFile, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Whether a folder lies on a drive that can be taken out; null where the system does not tell. On Linux by what the kernel says of its block device: a medium that comes out, or a drive at
 * a USB port, which says of itself that it is fixed [Linux: Documentation/ABI/stable/sysfs-block]. Elsewhere only macOS shows it, by where drives are mounted.
 */
export async function isRemovable(folder: string, { platform = process.platform, sysfs = '/sys' }: { platform?: NodeJS.Platform; sysfs?: string } = {}): Promise<boolean | null> {
  if (platform === 'darwin') return folder.startsWith('/Volumes/')
  if (platform !== 'linux') return null
  const { dev } = await stat(folder)
  return isRemovableDevice(dev, sysfs)
}

/** @param dev as `stat` tells it [glibc: gnu_dev_makedev] */
export async function isRemovableDevice(dev: number, sysfs: string): Promise<boolean | null> {
  const major = Math.floor(dev / 256) % 4096
  const minor = (dev % 256) + Math.floor(dev / 2 ** 20) * 256
  // File systems of the kernel's own and of the network have no device.
  if (major === 0) return false
  const device = await realpath(join(sysfs, 'dev/block', `${String(major)}:${String(minor)}`)).catch(() => null)
  if (device === null) return null
  if (/\/usb\d+\//u.test(device)) return true
  for (const at of [device, join(device, '..')]) {
    const said = await readFile(join(at, 'removable'), 'utf8').catch(() => null)
    if (said !== null) return said.trim() === '1'
  }
  return null
}
