import type { Encryption } from '../app/services'
import { hasChanged } from './changed'
import type { AutomaticWork } from './schedule'
import type { SnapshotService } from './snapshot-service'

/** What automatic snapshots are taken with and deleted by: nothing but what people do it with. */
export function automaticWork(service: SnapshotService, keys: Pick<Encryption, 'requireFor'>): AutomaticWork {
  return {
    snapshots: async (id) => (await service.tree(id)).snapshots,
    hasChanged: async (id) => hasChanged(await service.look(id)),
    requireKey: async (id) => {
      await keys.requireFor(id)
    },
    take: async (id, { name, memory }, reporter) => {
      await service.take(id, { name, description: '', memory, quiesce: false }, reporter, 'automatic')
    },
    delete: async (id, snapshotId, reporter) => {
      await service.delete(id, snapshotId, { children: false }, reporter)
    },
  }
}
