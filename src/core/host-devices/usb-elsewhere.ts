import { z } from 'zod'
import type { HostUsbDevice } from '@shared/model'
import { plainText } from './device-names'

/** An entry of `system_profiler SPUSBDataType -json`: a bus, a hub or a device, those below it in `_items`. */
interface MacEntry { _name?: string | undefined; vendor_id?: string | undefined; product_id?: string | undefined; manufacturer?: string | undefined; serial_num?: string | undefined; _items?: MacEntry[] | undefined }
const MacEntry: z.ZodType<MacEntry> = z.lazy(() => z.object({
  _name: z.string().optional(), vendor_id: z.string().optional(), product_id: z.string().optional(), manufacturer: z.string().optional(), serial_num: z.string().optional(), _items: z.array(MacEntry).optional(),
}))
const MacReport = z.object({ SPUSBDataType: z.array(MacEntry) })

export const macUsbCommand = ['/usr/sbin/system_profiler', 'SPUSBDataType', '-json'] as const

/** The devices out of macOS’s report. Throws when it is no such report. */
export function parseMacUsb(text: string): HostUsbDevice[] {
  const devicesIn = (entry: MacEntry): HostUsbDevice[] => [...deviceOf(entry), ...(entry._items ?? []).flatMap(devicesIn)]
  return MacReport.parse(JSON.parse(text)).SPUSBDataType.flatMap(devicesIn)
}

/** `vendor_id` is `0x046d  (Logitech Inc.)`, or a word for Apple’s own. */
function deviceOf({ _name, vendor_id: vendorText, product_id: productText, manufacturer, serial_num: serial }: MacEntry): HostUsbDevice[] {
  const vendorId = vendorText === 'apple_vendor_id' ? '05ac' : fourDigits(vendorText)
  const productId = fourDigits(productText)
  const product = plainText(_name ?? '')
  if (vendorId === null || productId === null || /\bhub\b/iu.test(product)) return []
  const vendor = plainText(manufacturer ?? /\(([^)]*)\)/u.exec(vendorText ?? '')?.[1] ?? '')
  return [{ vendorId, productId, vendor, product, serial: plainText(serial ?? '') || null, port: null, obstacle: null }]
}

function fourDigits(text: string | undefined): string | null {
  const digits = /^0x([0-9a-f]{1,4})\b/iu.exec(text ?? '')?.[1]
  return digits === undefined ? null : digits.toLowerCase().padStart(4, '0')
}

const WindowsEntry = z.object({ InstanceId: z.string(), FriendlyName: z.string().nullish(), Manufacturer: z.string().nullish(), Service: z.string().nullish() })

export const windowsUsbCommand = [
  'powershell.exe', '-NoProfile', '-NonInteractive', '-Command',
  "[Console]::OutputEncoding=[Text.Encoding]::UTF8; ConvertTo-Json @(Get-PnpDevice -PresentOnly | Where-Object { $_.InstanceId -like 'USB\\VID_*' } | Select-Object InstanceId,FriendlyName,Manufacturer,Service)",
] as const

/** The devices out of what `windowsUsbCommand` prints. Throws when it is no such report. */
export function parseWindowsUsb(text: string): HostUsbDevice[] {
  const parsed: unknown = JSON.parse(text.replace(/^\ufeff/u, '').trim() || '[]')
  return z.array(WindowsEntry).parse(Array.isArray(parsed) ? parsed : [parsed]).flatMap(({ InstanceId, FriendlyName, Manufacturer, Service }): HostUsbDevice[] => {
    // `&MI_00` is a part of a device; the last part is its serial number where it has one, otherwise made up with ampersands.
    const [, vendor, product, instance = ''] = /^USB\\VID_([0-9A-F]{4})&PID_([0-9A-F]{4})\\(.+)$/iu.exec(InstanceId) ?? []
    if (vendor === undefined || product === undefined || /^usbhub/iu.test(Service ?? '')) return []
    const usable = /^winusb$/iu.test(Service ?? '')
    return [{
      vendorId: vendor.toLowerCase(), productId: product.toLowerCase(), vendor: plainText(Manufacturer ?? ''), product: plainText(FriendlyName ?? ''), serial: instance.includes('&') ? null : plainText(instance), port: null,
      obstacle: usable ? null : { message: 'One of Windows’s own drivers has this device; QEMU can only take one that has the driver WinUSB.', remedy: 'Give it WinUSB with the program Zadig. Windows itself can’t use it any more then, until its old driver is put back.' },
    }]
  })
}
