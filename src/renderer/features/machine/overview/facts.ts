import { processorCount, type AcceleratorName, type ImageLocation, type MachineDefinition } from '@shared/model'
import { countOf, formatMiB } from '../../../lib/format'

export interface Fact { label: string; lines: string[] }

const busNames: Record<MachineDefinition['disks'][number]['bus'], string> = { 'virtio-blk': 'VirtIO', 'virtio-scsi': 'VirtIO SCSI', sata: 'SATA', nvme: 'NVMe', ide: 'IDE', usb: 'USB', sd: 'SD card', floppy: 'Floppy' }

function fileName(image: ImageLocation): string {
  return image.path.split(/[\\/]/u).at(-1) ?? image.path
}

/** What a machine is, in a few lines that fit a narrow column. */
export function machineFacts(definition: MachineDefinition, osName: string, best: AcceleratorName | null): Fact[] {
  const { processors, firmware, boot } = definition
  const count = processorCount(processors)
  const shape = processors.sockets > 1 || processors.threads > 1 ? ` (${String(processors.sockets)} × ${String(processors.cores)} × ${String(processors.threads)})` : ''
  const accelerator = definition.accelerator === 'auto' ? `Automatic${best === null ? '' : ` (${best.toUpperCase()} here)`}` : definition.accelerator.toUpperCase()
  const facts: Fact[] = [
    { label: 'System', lines: [osName] },
    { label: 'Processors', lines: [`${String(count)}${shape}${processors.model === 'auto' ? '' : ` · ${processors.model}`}`] },
    { label: 'Memory', lines: [formatMiB(definition.memoryMiB)] },
    { label: 'Accelerator', lines: [accelerator] },
    { label: 'Firmware', lines: [firmware.type === 'uefi' ? `UEFI${firmware.secureBoot ? ' with Secure Boot' : ''}` : 'BIOS', ...(definition.tpm === null ? [] : [`TPM ${definition.tpm.version}`]), definition.machineType] },
    { label: definition.disks.length === 1 ? 'Disk' : 'Disks', lines: definition.disks.length === 0 ? ['None'] : definition.disks.map((disk) => `${fileName(disk.image)} · ${busNames[disk.bus]}`) },
  ]
  const media = definition.cdroms.flatMap((drive) => (drive.image ? [fileName(drive.image)] : []))
  if (media.length > 0) facts.push({ label: 'CD', lines: media })
  if (boot.kernel) facts.push({ label: 'Kernel', lines: [fileName(boot.kernel.kernel)] })
  facts.push({ label: 'Network', lines: definition.nics.length === 0 ? ['None'] : definition.nics.map((nic) => `NAT · ${nic.model}`) })
  if (definition.serialPorts > 0) facts.push({ label: 'Serial', lines: [countOf(definition.serialPorts, 'port')] })
  return facts
}
