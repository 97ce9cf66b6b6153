import { onScopeDispose, shallowReactive } from 'vue'
import { useClient } from '../../transport/client'

export interface SnapshotScreens {
  /** Address of a snapshot's picture; undefined while it is not there. Asking for one loads it, once. */
  get(snapshotId: string): string | undefined
}

/** Pictures asked for at the same time: a long tree must not hold up what else the host is asked. */
const most = 3

/** The pictures of one machine's snapshots, which never change: each is loaded when it is first shown, and all are let go with the calling scope. */
export function useSnapshotScreens(machineId: () => string): SnapshotScreens {
  const urls = shallowReactive(new Map<string, string>())
  const asked = new Set<string>()
  const waiting: string[] = []
  let underWay = 0
  let gone = false

  function get(snapshotId: string): string | undefined {
    if (!asked.has(snapshotId)) {
      asked.add(snapshotId)
      waiting.push(snapshotId)
      next()
    }
    return urls.get(snapshotId)
  }
  function next(): void {
    if (gone || underWay >= most) return
    const snapshotId = waiting.shift()
    if (snapshotId === undefined) return
    underWay += 1
    void load(snapshotId).finally(() => {
      underWay -= 1
      next()
    })
  }
  /** One that can't be had is left out: a picture is an ornament, and the next look at the tree asks again. */
  async function load(snapshotId: string): Promise<void> {
    try {
      const png = await useClient().snapshot.screen({ id: machineId(), snapshotId })
      if (png !== null && !gone) urls.set(snapshotId, URL.createObjectURL(png))
    } catch {
      asked.delete(snapshotId)
    }
  }
  onScopeDispose(() => {
    gone = true
    for (const url of urls.values()) URL.revokeObjectURL(url)
  })
  return { get }
}
