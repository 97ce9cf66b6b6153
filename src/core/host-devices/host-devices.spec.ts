import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parseDeviceNames, plainText } from './device-names'
import { listHostDevices } from './list-host-devices'
import { readPciHost } from './pci-linux'
import { judgeDevices, passthroughProblem } from './pci-verdict'
import { parseMacUsb, parseWindowsUsb } from './usb-elsewhere'
import { readLinuxUsb } from './usb-linux'

const names = parseDeviceNames('# a list\n8086  Intel Corporation\n\t1521  I350 Gigabit Network Connection\n\t\t8086 0001  A board\n10de  NVIDIA Corporation\n\t2484  GA104\n046d  Logitech, Inc.\n\tc52b  Unifying Receiver\n\nC 02  Network controller\n\t00  Ethernet controller\nC 03  Display controller\n\t00  VGA compatible controller\nHID 01  Something else\n\t2484  No device\n')

let root: string
beforeEach(async () => { root = await mkdtemp(join(tmpdir(), 'rs-devices-')) })
afterEach(() => rm(root, { recursive: true, force: true }))

async function files(content: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(content)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
}
const usb = (port: string, more: Readonly<Record<string, string>>): Promise<void> => files(Object.fromEntries(Object.entries(more).map(([name, text]) => [`sys/bus/usb/devices/${port}/${name}`, `${text}\n`])))
async function pci(address: string, { driver, group, ...rest }: Readonly<Record<string, string>>): Promise<void> {
  const folder = `sys/bus/pci/devices/${address}`
  await files(Object.fromEntries(Object.entries(rest).map(([name, text]) => [`${folder}/${name}`, `${text}\n`])))
  if (driver !== undefined) await symlink(`../../../bus/pci/drivers/${driver}`, join(root, folder, 'driver'))
  if (group !== undefined) await symlink(`../../../kernel/iommu_groups/${group}`, join(root, folder, 'iommu_group'))
}

test('names come out of the system’s lists', () => {
  expect([names.vendor('8086'), names.device('8086', '1521'), names.kind('030000'), names.kind('028000'), names.vendor('ffff'), names.device('10de', '1234'), names.kind('ff')]).toEqual(
    ['Intel Corporation', 'I350 Gigabit Network Connection', 'VGA compatible controller', 'Network controller', null, null, null])
  expect(plainText('Evil\u202e\u0007\nname\u200b  here')).toBe('Evil name here')
})

test('Linux: devices with their ports, no hubs and no parts; what may not be used says which rule helps', async () => {
  await usb('usb1', { idVendor: '1d6b', idProduct: '0002', bDeviceClass: '09' })
  await usb('1-4', { idVendor: '05e3', idProduct: '0610', bDeviceClass: '09' })
  await usb('1-4.2', { idVendor: '046d', idProduct: 'c52b', bDeviceClass: '00', busnum: '1', devnum: '5' })
  await usb('1-4.2:1.0', { bInterfaceClass: '03' })
  await usb('1-10', { idVendor: '0781', idProduct: '5567', bDeviceClass: '00', manufacturer: 'SanDisk', product: 'Cruzer\u202e Blade', serial: '4C53', busnum: '1', devnum: '12' })
  await usb('1-2', { idVendor: 'nope', idProduct: '5567', bDeviceClass: '00' })
  await files({ 'dev/bus/usb/001/005': '' })
  const found = await readLinuxUsb(names, root)
  expect(found?.map(({ port, vendor, product, serial }) => [port, vendor, product, serial])).toEqual([['1-4.2', 'Logitech, Inc.', 'Unifying Receiver', null], ['1-10', 'SanDisk', 'Cruzer Blade', '4C53']])
  expect(found?.[0]?.obstacle).toBeNull()
  expect(found?.[1]?.obstacle?.message).toContain('/dev/bus/usb/001/012')
  expect(found?.[1]?.obstacle?.remedy).toContain('ATTR{idVendor}=="0781", ATTR{idProduct}=="5567"')
  expect(await readLinuxUsb(names, join(root, 'nowhere'))).toBeNull()
})

test('macOS and Windows tell theirs in forms of their own', () => {
  expect(parseMacUsb(JSON.stringify({ SPUSBDataType: [{ _name: 'USB31Bus', host_controller: 'AppleT8103USBXHCI', _items: [
    { _name: 'USB2.0 Hub', vendor_id: '0x05e3  (Genesys Logic, Inc.)', product_id: '0x0610', _items: [{ _name: 'USB Receiver', manufacturer: 'Logitech', product_id: '0xc52b', vendor_id: '0x046d  (Logitech Inc.)', location_id: '0x01142000 / 5' }] },
    { _name: 'Magic Keyboard', product_id: '0x29c', vendor_id: 'apple_vendor_id', serial_num: 'F0T' }, { _name: 'Odd' },
  ] }] })).map(({ vendorId, productId, vendor, product, serial }) => [vendorId, productId, vendor, product, serial])).toEqual([['046d', 'c52b', 'Logitech', 'USB Receiver', null], ['05ac', '029c', '', 'Magic Keyboard', 'F0T']])
  const windows = parseWindowsUsb('\ufeff' + JSON.stringify([
    { InstanceId: 'USB\\VID_046D&PID_C52B\\5&1A2B3C&0&2', FriendlyName: 'USB Composite Device', Manufacturer: '(Standard USB Host Controller)', Service: 'usbccgp' },
    { InstanceId: 'USB\\VID_046D&PID_C52B&MI_00\\6&2&0', FriendlyName: 'Input', Manufacturer: null, Service: 'HidUsb' }, { InstanceId: 'USB\\VID_0781&PID_5567\\4C530001', FriendlyName: 'Cruzer', Service: 'WINUSB' },
    { InstanceId: 'USB\\VID_05E3&PID_0610\\5&2', FriendlyName: 'Generic USB Hub', Service: 'USBHUB3' },
  ]))
  expect(windows.map(({ vendorId, productId, serial, obstacle }) => [vendorId, productId, serial, obstacle === null])).toEqual([['046d', 'c52b', null, false], ['0781', '5567', '4C530001', true]])
  // A single one is no list in older PowerShells.
  expect(parseWindowsUsb(JSON.stringify({ InstanceId: 'USB\\VID_0781&PID_5567\\4C530001' }))).toHaveLength(1)
  expect(parseWindowsUsb('')).toEqual([])
  expect(() => parseMacUsb('{}')).toThrow()
})

test('without an IOMMU nothing is passed on, and it is said how to switch it on', async () => {
  await pci('0000:02:00.0', { class: '0x020000', vendor: '0x8086', device: '0x1521', driver: 'igb' })
  await files({ 'proc/cpuinfo': 'vendor_id : GenuineIntel\n', 'proc/cmdline': 'quiet splash\n' })
  const host = await readPciHost(names, root) ?? expect.fail()
  expect(passthroughProblem(host)).toMatchObject({ remedy: expect.stringMatching(/VT-d.*intel_iommu=on iommu=pt/u) as string })
  expect(passthroughProblem({ ...host, kernelWords: ['intel_iommu=on'] })?.remedy).toContain('already')
  expect(passthroughProblem({ ...host, processor: 'amd' })?.remedy).toContain('AMD-Vi')
  expect(judgeDevices(host)).toMatchObject([{ name: 'Intel Corporation I350 Gigabit Network Connection', kind: 'Ethernet controller', group: null, obstacle: { message: expect.stringContaining('IOMMU is off') as string } }])
})

test('each device is judged: drivers, groups, permissions, and what it means', async () => {
  await pci('0000:00:01.0', { class: '0x060400', vendor: '0x8086', device: '0x1901', driver: 'pcieport', group: '1' })
  await pci('0000:01:00.0', { class: '0x030000', vendor: '0x10de', device: '0x2484', driver: 'vfio-pci', group: '1', boot_vga: '1' })
  await pci('0000:01:00.1', { class: '0x040300', vendor: '0x10de', device: '0x228b', driver: 'snd_hda_intel', group: '1' })
  await pci('0000:02:00.0', { class: '0x020000', vendor: '0x8086', device: '0x1521', driver: 'igb', group: '2' })
  await pci('0000:03:00.0', { class: '0x010802', vendor: '0x144d', device: '0xa808', driver: 'vfio-pci', group: '3' })
  await pci('0000:04:00.0', { class: '0x020000', vendor: '0x8086', device: '0x1521', driver: 'vfio-pci', group: '4' })
  await files({ 'dev/vfio/vfio': '', 'dev/vfio/3': '' })
  const host = await readPciHost(names, root) ?? expect.fail()
  const [bridge, screen, sound, network, nvme, second] = judgeDevices(host)
  expect(bridge?.obstacle?.message).toContain('own board')
  expect(screen).toMatchObject({ companions: ['0000:00:01.0', '0000:01:00.1'], obstacle: { message: expect.stringContaining('0000:01:00.1 (NVIDIA Corporation device 228b, snd_hda_intel)') as string, remedy: expect.stringContaining('devices/0000:01:00.1/driver/unbind') as string } })
  expect(screen?.warnings.join(' ')).toMatch(/own screen.*goes dark.*0000:01:00\.1/u)
  expect(sound?.obstacle?.message).toBe('This computer uses it, with the driver snd_hda_intel.')
  expect(network?.obstacle?.remedy).toBe('Hand it over until this computer starts again: `sudo modprobe vfio-pci && echo vfio-pci | sudo tee /sys/bus/pci/devices/0000:02:00.0/driver_override && echo 0000:02:00.0 | sudo tee /sys/bus/pci/devices/0000:02:00.0/driver/unbind && echo 0000:02:00.0 | sudo tee /sys/bus/pci/drivers_probe`')
  expect(nvme?.obstacle).toBeNull()
  expect(nvme?.warnings.join(' ')).toContain('none of them may be in use')
  expect(second?.obstacle).toMatchObject({ message: expect.stringContaining('/dev/vfio/4') as string, remedy: expect.stringContaining('udev') as string })
  expect(judgeDevices({ ...host, container: 'missing' })[4]?.obstacle?.remedy).toBe('Run: `sudo modprobe vfio-pci`')
})

test('a system that has no such thing says so, and nothing throws', async () => {
  expect(await listHostDevices('linux', join(root, 'nowhere'))).toMatchObject({ usb: [], usbProblem: { message: expect.any(String) as string }, pci: [], pciProblem: { message: expect.any(String) as string } })
  const { pciProblem, usbProblem } = await listHostDevices('darwin')
  expect(pciProblem?.message).toContain('macOS does not let programs')
  // On another system macOS’s program is not there.
  if (process.platform !== 'darwin') expect(usbProblem?.message).toContain('can’t be listed')
})
