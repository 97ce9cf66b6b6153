import type { Snapshot, SnapshotTree } from '@shared/model'
import { computed, watch, type ComputedRef } from 'vue'
import { useSnapshots } from '../stores/snapshots.store'
import { notifyError } from './notify'

/** The snapshot that a dialog asks about, and its tree, for as long as the dialog lives. `gone` is called when there is nothing left to ask: it was deleted, or can't be read. */
export function useAskedSnapshot(machineId: () => string, snapshotId: () => string | null, gone: () => void): { tree: ComputedRef<SnapshotTree | null>; snapshot: ComputedRef<Snapshot | undefined> } {
  const view = useSnapshots(machineId)
  const tree = computed(() => view.value.tree)
  const snapshot = computed(() => tree.value?.snapshots.find((each) => each.id === snapshotId()))
  watch(view, ({ tree: known, error }) => {
    if (snapshotId() === null || snapshot.value) return
    if (known) gone()
    else if (error) {
      notifyError(error, 'The snapshots can’t be read now')
      gone()
    }
  }, { immediate: true })
  return { tree, snapshot }
}
