import { constants } from 'node:fs'
import { access, readdir, readFile, readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { DeviceNames } from './device-names'

/** A device as Linux tells of it. */
export interface PciFacts {
  address: string
  /** Two digits each of class, subclass and programming interface. */
  classId: string
  vendorId: string
  deviceId: string
  kind: string
  name: string
  driver: string | null
  group: number | null
  /** This computer’s firmware shows its screen on it. */
  isBootScreen: boolean
}

/** What a computer has of what passing devices on takes. */
export interface PciHost {
  devices: PciFacts[]
  processor: 'intel' | 'amd' | 'other'
  /** Words of the kernel’s command line. */
  kernelWords: string[]
  /** Numbers of groups whose node in /dev/vfio the user may open. */
  usableGroups: number[]
  /** /dev/vfio/vfio: `missing` while the driver is not loaded. */
  container: 'usable' | 'forbidden' | 'missing'
}

/** @param root the file system’s root: another one in tests. null: this system has no such list */
export async function readPciHost(names: DeviceNames, root = '/'): Promise<PciHost | null> {
  const folder = join(root, 'sys/bus/pci/devices')
  const addresses = (await readdir(folder).catch(() => null))?.filter((name) => /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/u.test(name)).sort()
  if (addresses === undefined) return null
  const [devices, cpuinfo, kernelLine, nodes] = await Promise.all([
    Promise.all(addresses.map((address) => readDevice(join(folder, address), address, names))),
    readFile(join(root, 'proc/cpuinfo'), 'utf8').catch(() => ''), readFile(join(root, 'proc/cmdline'), 'utf8').catch(() => ''), readdir(join(root, 'dev/vfio')).catch((): string[] => []),
  ])
  const mayUse = (name: string): Promise<boolean> => access(join(root, 'dev/vfio', name), constants.R_OK | constants.W_OK).then(() => true, () => false)
  const groups = await Promise.all(nodes.filter((name) => /^\d+$/u.test(name)).map(async (name) => ((await mayUse(name)) ? [Number(name)] : [])))
  return {
    devices,
    processor: cpuinfo.includes('GenuineIntel') ? 'intel' : cpuinfo.includes('AuthenticAMD') ? 'amd' : 'other',
    kernelWords: kernelLine.trim().split(/\s+/u),
    usableGroups: groups.flat(),
    container: !nodes.includes('vfio') ? 'missing' : (await mayUse('vfio')) ? 'usable' : 'forbidden',
  }
}

async function readDevice(folder: string, address: string, names: DeviceNames): Promise<PciFacts> {
  const file = (name: string): Promise<string> => readFile(join(folder, name), 'utf8').then((text) => text.trim(), () => '')
  const link = (name: string): Promise<string | null> => readlink(join(folder, name)).then((target) => basename(target), () => null)
  const [classText, vendorText, deviceText, bootVga, driver, group] = await Promise.all([file('class'), file('vendor'), file('device'), file('boot_vga'), link('driver'), link('iommu_group')])
  const [classId, vendorId, deviceId] = [digits(classText, 6), digits(vendorText, 4), digits(deviceText, 4)]
  const vendor = names.vendor(vendorId)
  return {
    address, classId, vendorId, deviceId, driver, group: group === null ? null : Number(group), isBootScreen: bootVga === '1', kind: names.kind(classId) ?? plainKind(classId),
    name: [vendor ?? `Vendor ${vendorId}`, names.device(vendorId, deviceId) ?? `device ${deviceId}`].join(' '),
  }
}

function digits(text: string, count: number): string {
  return text.replace(/^0x/u, '').toLowerCase().padStart(count, '0')
}

/** Classes by their first two digits, where the system has no list [pci.ids]. */
function plainKind(classId: string): string {
  const kinds: Readonly<Record<string, string>> = {
    '01': 'Storage controller', '02': 'Network controller', '03': 'Display controller', '04': 'Multimedia controller', '05': 'Memory controller', '06': 'Bridge', '07': 'Communication controller', '08': 'System device',
    '09': 'Input device', '0c': 'Serial bus controller', '0d': 'Wireless controller', '10': 'Encryption controller', '12': 'Processing accelerator',
  }
  return kinds[classId.slice(0, 2)] ?? 'Device'
}
