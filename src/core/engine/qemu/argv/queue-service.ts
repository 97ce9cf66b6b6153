import type { AcceleratorName, MachineDefinition } from '@shared/model'
import type { ArgumentList } from './argument-list'
import type { ArgvInput } from './input'

/** Properties of a virtio disk or controller that say which thread takes what the guest puts into its queues. No part of what saved memory knows. */
export type QueueService = { iothread: string } | { ioeventfd: false } | Record<never, never>

/**
 * The same for the controller of channels. It has two queues for each of its 31 ports, whether or not anything is on them, and the main loop would look at an event for every one of them each time it
 * turns: beside an emulated processor, which wakes it for much, that took a twentieth of all that QEMU does while a guest reads and writes (docs/decisions/082).
 */
export function channelService(accelerator: AcceleratorName): QueueService {
  return accelerator === 'tcg' ? { ioeventfd: false } : {}
}

const iothreadId = 'sys-iothread'

type Wanted = Pick<MachineDefinition, 'ioThread'>

/**
 * With hardware assistance one thread for all virtio disks, apart from the main loop, so that the monitor and the screen never wait for a disk. An emulated processor is a thread that runs beside the
 * main loop as it is: it hands each request on by itself, which spares waking another thread for it (docs/decisions/082).
 */
export function queueService({ ioThread }: Wanted, accelerator: AcceleratorName): QueueService {
  if (ioThread === 'on' || (ioThread === 'auto' && accelerator !== 'tcg')) return { iothread: iothreadId }
  return accelerator === 'tcg' ? { ioeventfd: false } : {}
}

/** The same, with the thread added where it is not there yet. */
export function addQueueService(list: ArgumentList, { definition, accelerator }: Pick<ArgvInput, 'definition' | 'accelerator'>): QueueService {
  const service = queueService(definition, accelerator)
  if ('iothread' in service && !list.hasObject(service.iothread)) list.object({ 'qom-type': 'iothread', id: service.iothread })
  return service
}
