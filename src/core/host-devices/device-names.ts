import { readFile } from 'node:fs/promises'

/** Names by numbers, out of a list as pci.ids and usb.ids are. */
export interface DeviceNames {
  vendor(vendorId: string): string | null
  device(vendorId: string, deviceId: string): string | null
  /** @param classId two digits of the class and two of the subclass */
  kind(classId: string): string | null
}

const usualFolders = ['/usr/share/hwdata', '/usr/share/misc', '/var/lib/usbutils', '/var/lib/pciutils']

/** The system’s own list; without one nothing has a name. */
export async function readDeviceNames(file: 'pci.ids' | 'usb.ids', folders: readonly string[] = usualFolders): Promise<DeviceNames> {
  for (const folder of folders) {
    const text = await readFile(`${folder}/${file}`, 'utf8').catch(() => null)
    if (text !== null) return parseDeviceNames(text)
  }
  return parseDeviceNames('')
}

/** Vendors at the margin, devices behind one tab; classes the same behind `C ` [pci.ids: its own head]. */
export function parseDeviceNames(text: string): DeviceNames {
  const names = new Map<string, string>()
  let above = ''
  for (const line of text.split('\n')) {
    const top = /^(C )?([0-9a-f]{2,4}) {2}(.+)$/u.exec(line)
    const below = /^\t([0-9a-f]{2,4}) {2}(.+)$/u.exec(line)
    if (top !== null) {
      above = `${top[1] ?? ''}${top[2] ?? ''}`
      names.set(above, top[3] ?? '')
    } else if (below !== null && above !== '') names.set(`${above}:${below[1] ?? ''}`, below[2] ?? '')
    // Other lists follow in usb.ids, each with a letter before its numbers.
    else if (/^[A-Z]/u.test(line)) above = ''
  }
  return {
    vendor: (vendorId) => names.get(vendorId) ?? null,
    device: (vendorId, deviceId) => names.get(`${vendorId}:${deviceId}`) ?? null,
    kind: (classId) => names.get(`C ${classId.slice(0, 2)}:${classId.slice(2, 4)}`) ?? names.get(`C ${classId.slice(0, 2)}`) ?? null,
  }
}

/** What a device says of itself is nobody’s promise: one line, without what turns text around or ends it. */
export function plainText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ').replace(/\s+/gu, ' ').trim().slice(0, 100)
}
