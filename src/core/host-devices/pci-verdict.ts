import type { HostDeviceObstacle, HostPciDevice } from '@shared/model'
import type { PciFacts, PciHost } from './pci-linux'

/** Drivers that hold a device for nobody but a guest [Linux: vfio.rst, on viable groups]. */
const standingBy: readonly (string | null)[] = ['vfio-pci', 'pci-stub', null]

/** Why nothing can be passed on; null: something may. Pure. */
export function passthroughProblem({ devices, processor, kernelWords }: PciHost): HostDeviceObstacle | null {
  if (devices.length === 0) return { message: 'This computer has no PCI devices that can be passed on.', remedy: null }
  if (devices.some(({ group }) => group !== null)) return null
  const name = processor === 'amd' ? 'AMD-Vi (IOMMU)' : processor === 'intel' ? 'VT-d' : 'VT-d or AMD-Vi (IOMMU)'
  const word = processor === 'amd' ? 'amd_iommu=on' : 'intel_iommu=on'
  const isAsked = kernelWords.includes(word)
  return {
    message: 'The IOMMU is off, which keeps a guest’s devices out of everybody else’s memory: no device can be passed on.',
    remedy: `Switch ${name} on in the computer’s firmware set-up${isAsked ? `; the kernel is started with \`${word}\` already` : `, and add \`${word} iommu=pt\` to the kernel’s command line (GRUB_CMDLINE_LINUX in /etc/default/grub, then \`sudo update-grub\`)`}. Then start the computer again.`,
  }
}

/** Every device with what speaks against giving it to a guest, and what it means. Pure. */
export function judgeDevices(host: PciHost): HostPciDevice[] {
  return host.devices.map((device) => {
    const companions = device.group === null ? [] : host.devices.filter(({ group, address }) => group === device.group && address !== device.address)
    const { address, kind, name, vendorId, deviceId, driver, group } = device
    return { address, kind, name, vendorId, deviceId, driver, group, companions: companions.map((other) => other.address), obstacle: obstacleOf(device, companions, host), warnings: warningsOf(device, companions) }
  })
}

function isBridge({ classId }: Pick<PciFacts, 'classId'>): boolean {
  return classId.startsWith('06')
}

function obstacleOf(device: PciFacts, companions: readonly PciFacts[], host: PciHost): HostDeviceObstacle | null {
  if (isBridge(device)) return { message: 'It is a part of this computer’s own board.', remedy: null }
  if (device.group === null) return passthroughProblem(host) ?? { message: 'It is in no IOMMU group.', remedy: null }
  if (device.driver !== 'vfio-pci') {
    return { message: device.driver === null ? 'It is not handed to the driver that passes devices on (vfio-pci).' : `This computer uses it, with the driver ${device.driver}.`, remedy: bindRemedy([device]) }
  }
  const busy = companions.filter((other) => !isBridge(other) && !standingBy.includes(other.driver))
  if (busy.length > 0) {
    return {
      message: `It shares the IOMMU group ${String(device.group)} with devices that this computer uses: ${busy.map((other) => `${other.address} (${other.name}, ${other.driver ?? ''})`).join('; ')}. A group can only be given away as a whole.`,
      remedy: `Hand those over too, or put the card into another slot of the board. ${bindRemedy(busy)}`,
    }
  }
  if (host.container === 'missing') return { message: 'The kernel’s part for passing devices on is not loaded: there is no /dev/vfio/vfio.', remedy: 'Run: `sudo modprobe vfio-pci`' }
  if (host.container === 'forbidden' || !host.usableGroups.includes(device.group)) {
    return {
      message: `You may not use its group: /dev/vfio/${String(device.group)} is not yours to write to.`,
      remedy: `Give the groups to those in “kvm”: \`echo 'SUBSYSTEM=="vfio", GROUP="kvm", MODE="0660"' | sudo tee /etc/udev/rules.d/70-ringside-vfio.rules && sudo udevadm control --reload && sudo udevadm trigger\``,
    }
  }
  return null
}

/** Until the next start of the computer; nothing is changed for good. */
function bindRemedy(devices: readonly PciFacts[]): string {
  const commands = devices.map(({ address, driver }) => {
    const device = `/sys/bus/pci/devices/${address}`
    return `echo vfio-pci | sudo tee ${device}/driver_override${driver === null ? '' : ` && echo ${address} | sudo tee ${device}/driver/unbind`} && echo ${address} | sudo tee /sys/bus/pci/drivers_probe`
  })
  return `Hand it over until this computer starts again: \`sudo modprobe vfio-pci && ${commands.join(' && ')}\``
}

function warningsOf(device: PciFacts, companions: readonly PciFacts[]): string[] {
  if (isBridge(device)) return []
  const others = companions.filter((other) => !isBridge(other))
  return [
    'This computer can’t use the device while the machine runs.',
    'All of the machine’s memory stays in this computer’s memory from the start on, and the balloon gives none back.',
    'The machine can’t be saved to disk, and its snapshots are of the disks only.',
    ...(device.isBootScreen ? ['This computer’s own screen is on this device: it goes dark.'] : []),
    ...(device.classId.startsWith('01') ? ['It is a controller of disks: none of them may be in use here.'] : []),
    ...(device.classId.startsWith('02') ? ['This computer’s network over it ends.'] : []),
    ...(others.length > 0 ? [`The others in its group can’t be used here meanwhile: ${others.map(({ address }) => address).join(', ')}.`] : []),
  ]
}
