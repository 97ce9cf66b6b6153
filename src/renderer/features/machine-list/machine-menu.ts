import { isLive, type MachineView } from '@shared/model'
import { computed, type ComputedRef, type Ref } from 'vue'
import { useRouter } from 'vue-router'
import { useGuestActions } from '../../actions/guest-actions'
import { useMachineActions } from '../../actions/machine-actions'
import { guestMenu, menuItem, type ActionMenuItem } from '../../actions/menu'
import { useWindowStore } from '../../stores/window.store'
import { keyLabels } from '../../ui/keys'

/** The context menu of a machine in the list. */
export function useMachineMenu(machine: Ref<MachineView | undefined>): ComputedRef<ActionMenuItem[][]> {
  const actions = useMachineActions(machine)
  const guest = useGuestActions(machine)
  const view = useWindowStore()
  const router = useRouter()
  return computed(() => {
    const shown = machine.value
    if (!shown) return []
    const { id, state, folder, definition } = shown
    const start = definition.template ? menuItem(actions.clone) : state === 'paused' ? menuItem(actions.resume) : menuItem(actions.start, state === 'saved' ? { label: 'Restore' } : {})
    const open: ActionMenuItem = {
      label: 'Open console', icon: 'i-lucide-monitor', disabled: !isLive(state), onSelect: () => void router.push(`/machines/${id}/console`),
    }
    const renameWhy = actions.rename.whyNot.value
    const rename: ActionMenuItem = {
      label: 'Rename', icon: 'i-lucide-pencil', kbds: ['F2'], disabled: renameWhy !== null, ...(renameWhy !== null ? { description: renameWhy } : {}),
      // The menu gives the focus back to the row as it closes; the field takes it after that.
      onSelect: () => { setTimeout(() => { view.renaming = { id, where: 'list' } }, 60) },
    }
    const reveal: ActionMenuItem[] = window.ringside
      ? [{ label: 'Show folder', icon: 'i-lucide-folder-open', disabled: false, onSelect: () => void window.ringside?.revealInFolder(folder) }]
      : []
    const disposable = isLive(state) || definition.template ? [] : [menuItem(actions.startDisposable)]
    const copies = [
      ...(definition.template ? [menuItem(actions.unmakeTemplate)] : [menuItem(actions.takeSnapshot, { kbds: keyLabels('mod+shift+S') }), menuItem(actions.clone), menuItem(actions.makeTemplate)]),
      ...(definition.origin?.kind === 'linked' ? [menuItem(actions.detach)] : []),
    ]
    const powered = isLive(state)
      ? [menuItem(actions.pause), menuItem(actions.shutDown), menuItem(actions.save), menuItem(actions.reset), menuItem(actions.powerOff, { dangerous: true })]
      : state === 'saved' && !definition.template ? [menuItem(actions.discardSaved)] : []
    return [
      [start, ...disposable, open],
      powered.map(withoutReason),
      state === 'running' ? [guestMenu(guest)] : [],
      copies,
      [rename, ...reveal],
      [menuItem(actions.delete, { dangerous: true, kbds: ['Del'] })],
    ].filter((group) => group.length > 0)
  })
}

/** In a menu of power actions, what is greyed out is plain from the state shown beside it. */
function withoutReason(item: ActionMenuItem): ActionMenuItem {
  const { description: _reason, ...rest } = item
  return rest
}
