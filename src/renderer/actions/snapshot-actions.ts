import { whyRefused, type MachineView, type Snapshot } from '@shared/model'
import { computed, toValue, type MaybeRefOrGetter } from 'vue'
import { useConnectionStore } from '../stores/connection.store'
import { useSnapshotsStore } from '../stores/snapshots.store'
import { useWindowStore, type MachineDialog } from '../stores/window.store'
import { useClient } from '../transport/client'
import { useAction, type Action } from './use-action'

export interface SnapshotActions {
  /** These ask in a dialog of their own. */
  revert: Action
  branch: Action
  delete: Action
  rename: Action<[name: string]>
  describe: Action<[description: string]>
}

/** Everything that can be done with one snapshot of a machine. The shared table of the lifecycle says when. */
export function useSnapshotActions(machine: MaybeRefOrGetter<MachineView | undefined>, snapshot: MaybeRefOrGetter<Snapshot | undefined>): SnapshotActions {
  const connection = useConnectionStore()
  const snapshots = useSnapshotsStore()
  const window = useWindowStore()

  const now = (): { machineId: string; snapshotId: string } => {
    const [view, one] = [toValue(machine), toValue(snapshot)]
    if (!view || !one) throw new Error('An action ran without a snapshot.')
    return { machineId: view.id, snapshotId: one.id }
  }
  const whyNot = (action: 'revert' | 'clone' | 'deleteSnapshot' | null) => computed(() => {
    const view = toValue(machine)
    if (!view || !toValue(snapshot)) return 'No snapshot is selected.'
    if (!connection.isOpen) return 'There is no connection to the host.'
    return action === null ? null : whyRefused(action, view)
  })
  const opens = (type: Extract<MachineDialog, { readonly snapshotId: unknown }>['type']) => (): Promise<void> => {
    window.dialog = { type, ...now() }
    return Promise.resolve()
  }
  const change = async (what: { name: string } | { description: string }): Promise<void> => {
    const { machineId, snapshotId } = now()
    await useClient().snapshot.change({ id: machineId, snapshotId, ...what })
    snapshots.reload(machineId)
  }

  return {
    revert: useAction({ label: 'Revert…', icon: 'i-lucide-undo-2', whyNot: whyNot('revert'), run: opens('revert') }),
    branch: useAction({ label: 'Branch…', icon: 'i-lucide-git-branch', whyNot: whyNot('clone'), run: opens('clone') }),
    delete: useAction({ label: 'Delete…', icon: 'i-lucide-trash-2', whyNot: whyNot('deleteSnapshot'), run: opens('deleteSnapshot') }),
    rename: useAction<[name: string]>({ label: 'Rename', icon: 'i-lucide-pencil', whyNot: whyNot(null), quiet: true, run: (name) => change({ name }) }),
    describe: useAction<[description: string]>({ label: 'Describe', icon: 'i-lucide-text', whyNot: whyNot(null), quiet: true, run: (description) => change({ description }) }),
  }
}
