import { constants } from 'node:fs'
import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HostUsbDevice } from '@shared/model'
import { type DeviceNames, plainText } from './device-names'

const hubClass = '09'

/** The devices that Linux has found, without hubs. @param root the file system’s root: another one in tests */
export async function readLinuxUsb(names: DeviceNames, root = '/'): Promise<HostUsbDevice[] | null> {
  const folder = join(root, 'sys/bus/usb/devices')
  const entries = await readdir(folder).catch(() => null)
  if (entries === null) return null
  // `1-4.2` is a device, `1-4.2:1.0` a part of one, `usb1` a controller’s own hub.
  const ports = entries.filter((name) => /^\d+-\d+(\.\d+)*$/u.test(name)).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  const found = await Promise.all(ports.map((port) => readDevice(join(folder, port), port, names, root)))
  return found.filter((device) => device !== null)
}

async function readDevice(folder: string, port: string, names: DeviceNames, root: string): Promise<HostUsbDevice | null> {
  const file = async (name: string): Promise<string> => plainText(await readFile(join(folder, name), 'utf8').catch(() => ''))
  const [vendorId, productId, kind, vendor, product, serial, bus, number] = await Promise.all(['idVendor', 'idProduct', 'bDeviceClass', 'manufacturer', 'product', 'serial', 'busnum', 'devnum'].map(file)) as [string, string, string, string, string, string, string, string]
  if (!/^[0-9a-f]{4}$/u.test(vendorId) || !/^[0-9a-f]{4}$/u.test(productId) || kind === hubClass) return null
  const node = `dev/bus/usb/${bus.padStart(3, '0')}/${number.padStart(3, '0')}`
  const mayUse = await access(join(root, node), constants.R_OK | constants.W_OK).then(() => true, () => false)
  return {
    vendorId, productId, vendor: vendor || (names.vendor(vendorId) ?? ''), product: product || (names.device(vendorId, productId) ?? ''), serial: serial || null, port,
    obstacle: mayUse ? null : { message: `You may not use this device: /${node} is not yours to write to.`, remedy: udevRemedy(vendorId, productId) },
  }
}

/** A rule of udev that gives the device to whoever sits at the computer [systemd: 73-seat-late.rules, so the number is below that]. */
function udevRemedy(vendorId: string, productId: string): string {
  const rule = `SUBSYSTEM=="usb", ATTR{idVendor}=="${vendorId}", ATTR{idProduct}=="${productId}", TAG+="uaccess"`
  return `Give it to whoever sits at this computer: \`echo '${rule}' | sudo tee -a /etc/udev/rules.d/70-ringside-usb.rules && sudo udevadm control --reload && sudo udevadm trigger\`. Over a network log-in put \`MODE="0660", GROUP="plugdev"\` in place of \`TAG+="uaccess"\` and join that group.`
}
