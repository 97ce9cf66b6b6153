import type { MachineHardware, MachineView } from '@shared/model'
import { hardwareOf } from '@core/hardware/hardware'
import { linuxGuest } from './guests'
import type { NewMachine } from './real-host'

/** A Linux without disks, with a card and an empty drive. */
export async function linuxMachine(): Promise<NewMachine> {
  const { kernel, initrd, commandLine } = await linuxGuest()
  const external = (path: string): { kind: 'external'; path: string } => ({ kind: 'external', path })
  return {
    name: 'Linux',
    definition: {
      memoryMiB: 128, disks: [], boot: { kernel: { kernel: external(kernel), initrd: external(initrd), commandLine } }, cdroms: [{ id: 'cd0', image: null, bus: 'virtio-scsi' }],
      nics: [{ id: 'net0', model: 'virtio-net', macAddress: '52:54:00:00:00:01', backend: { type: 'user' } }],
    },
  }
}

/** The hardware that a change starts from. */
export function storedHardware({ next, definition }: MachineView): MachineHardware {
  return next ?? hardwareOf(definition)
}
