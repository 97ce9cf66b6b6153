import type { AcceleratorName } from '@shared/model'
import type { ArgumentList } from './argument-list'

/** Properties of a virtio disk or controller that say which thread takes what the guest puts into its queues. No part of what saved memory knows. */
export type QueueService = { iothread: string } | { ioeventfd: false }

const iothreadId = 'sys-iothread'

/**
 * With hardware assistance one thread for all virtio disks, apart from the main loop, so that the monitor and the screen never wait for a disk. An emulated processor is a thread that runs beside the
 * main loop as it is: it hands each request on by itself, which spares waking another thread for it (docs/decisions/082).
 */
export function queueService(accelerator: AcceleratorName): QueueService {
  return accelerator === 'tcg' ? { ioeventfd: false } : { iothread: iothreadId }
}

/** The same, with the thread added where it is not there yet. */
export function addQueueService(list: ArgumentList, accelerator: AcceleratorName): QueueService {
  const service = queueService(accelerator)
  if ('iothread' in service && !list.hasObject(service.iothread)) list.object({ 'qom-type': 'iothread', id: service.iothread })
  return service
}
