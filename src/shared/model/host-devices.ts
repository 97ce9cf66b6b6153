import { z } from 'zod'

/** Why something can't be given to a guest now, and what to do. */
export const HostDeviceObstacle = z.object({
  message: z.string(),
  /** What to do, with the exact commands where there are some; null: nothing helps. */
  remedy: z.string().nullable(),
})
export type HostDeviceObstacle = z.infer<typeof HostDeviceObstacle>

/** A device at this computer’s USB ports. */
export const HostUsbDevice = z.object({
  /** Four hexadecimal digits each. */
  vendorId: z.string(),
  productId: z.string(),
  vendor: z.string(),
  product: z.string(),
  serial: z.string().nullable(),
  /** Where it is plugged in, as Linux writes it: the bus, a dash, ports from hub to hub, such as `1-4.2`; null: the system does not tell. */
  port: z.string().nullable(),
  obstacle: HostDeviceObstacle.nullable(),
})
export type HostUsbDevice = z.infer<typeof HostUsbDevice>

/** A device on this computer’s PCI buses. */
export const HostPciDevice = z.object({
  /** Domain, bus, slot and function, such as `0000:01:00.0`. */
  address: z.string(),
  /** Such as `VGA compatible controller`. */
  kind: z.string(),
  name: z.string(),
  /** Four hexadecimal digits each. */
  vendorId: z.string(),
  deviceId: z.string(),
  /** Which of this computer’s drivers holds it; null: none. */
  driver: z.string().nullable(),
  /** Number of its IOMMU group: what is in one can only be given away together. null: there are no groups. */
  group: z.int().nullable(),
  /** Addresses of the others in its group. */
  companions: z.array(z.string()),
  obstacle: HostDeviceObstacle.nullable(),
  /** What it means to give it away, a sentence each. */
  warnings: z.array(z.string()),
})
export type HostPciDevice = z.infer<typeof HostPciDevice>

/** What of this computer a guest can be given. A problem says why a list is empty that should not be. */
export const HostDevices = z.object({
  usb: z.array(HostUsbDevice),
  usbProblem: HostDeviceObstacle.nullable(),
  pci: z.array(HostPciDevice),
  pciProblem: HostDeviceObstacle.nullable(),
})
export type HostDevices = z.infer<typeof HostDevices>
