import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { HostDevices } from '@shared/model'
import { readDeviceNames } from './device-names'
import { readPciHost } from './pci-linux'
import { judgeDevices, passthroughProblem } from './pci-verdict'
import { macUsbCommand, parseMacUsb, parseWindowsUsb, windowsUsbCommand } from './usb-elsewhere'
import { readLinuxUsb } from './usb-linux'

const patienceMs = 20_000

/** What of this computer a guest can be given, as it is now. Never throws: what can’t be listed is a problem in words. */
export async function listHostDevices(platform: NodeJS.Platform = process.platform, root = '/'): Promise<HostDevices> {
  const [usb, pci] = await Promise.all([listUsbDevices(platform, root), listPciDevices(platform, root)])
  return { ...usb, ...pci }
}

async function listUsbDevices(platform: NodeJS.Platform, root: string): Promise<Pick<HostDevices, 'usb' | 'usbProblem'>> {
  try {
    switch (platform) {
      case 'linux': {
        const usb = await readLinuxUsb(await readDeviceNames('usb.ids'), root)
        return usb === null ? { usb: [], usbProblem: { message: 'This computer has no USB, or its kernel has no driver for it.', remedy: null } } : { usb, usbProblem: null }
      }
      case 'darwin':
        return { usb: parseMacUsb(await output(macUsbCommand)), usbProblem: null }
      case 'win32':
        return { usb: parseWindowsUsb(await output(windowsUsbCommand)), usbProblem: null }
      default:
        return { usb: [], usbProblem: { message: 'Ringside can’t list the USB devices of this system.', remedy: 'Give their numbers by hand.' } }
    }
  } catch (error) {
    return { usb: [], usbProblem: { message: `The USB devices of this computer can’t be listed: ${(error as Error).message.split('\n')[0] ?? ''}`, remedy: 'Give their numbers by hand.' } }
  }
}

/** The devices on PCI buses, each judged. */
export async function listPciDevices(platform: NodeJS.Platform = process.platform, root = '/'): Promise<Pick<HostDevices, 'pci' | 'pciProblem'>> {
  if (platform !== 'linux') return { pci: [], pciProblem: { message: `${platform === 'darwin' ? 'macOS' : platform === 'win32' ? 'Windows' : 'This system'} does not let programs pass PCI devices on to guests; Linux with KVM does.`, remedy: null } }
  const host = await readPciHost(await readDeviceNames('pci.ids'), root)
  if (host === null) return { pci: [], pciProblem: { message: 'This computer has no PCI devices that can be passed on.', remedy: null } }
  return { pci: judgeDevices(host), pciProblem: passthroughProblem(host) }
}

async function output([program, ...argv]: readonly [string, ...string[]]): Promise<string> {
  return (await promisify(execFile)(program, argv, { timeout: patienceMs, windowsHide: true, maxBuffer: 2 ** 24 })).stdout
}
