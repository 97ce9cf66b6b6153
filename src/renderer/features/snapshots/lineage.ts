import type { Snapshot } from '@shared/model'

/** Everything that came of a snapshot, itself left out, parents before their children. */
export function followersOf(snapshots: readonly Pick<Snapshot, 'id' | 'parentId'>[], id: string): string[] {
  const within = new Set([id])
  for (const each of snapshots) if (each.parentId !== null && within.has(each.parentId)) within.add(each.id)
  return [...within].slice(1)
}

/** The snapshot itself; where it is gone, the nearest before it that is left; null where none is. */
export function nearestLeft(now: readonly Pick<Snapshot, 'id'>[], before: readonly Pick<Snapshot, 'id' | 'parentId'>[], id: string): string | null {
  const left = new Set(now.map((each) => each.id))
  const parents = new Map(before.map((each) => [each.id, each.parentId]))
  let at: string | null | undefined = id
  while (at != null && !left.has(at)) at = parents.get(at)
  return at ?? null
}
