import { whyRefused, type GuestAbility, type GuestInfo, type MachineView } from '@shared/model'
import { computed, toValue, type MaybeRefOrGetter } from 'vue'
import { useConnectionStore } from '../stores/connection.store'
import { useWindowStore, type MachineDialog } from '../stores/window.store'
import { useAction, type Action } from './use-action'

export interface GuestActions {
  /** All ask in a dialog of their own. */
  run: Action
  copyIn: Action
  copyOut: Action
  setPassword: Action
}

/**
 * What can be done in a guest through its agent.
 * @param info what the guest has told; null: nothing yet. Left out where nobody asks it: the dialogs do, and say what stands in the way
 */
export function useGuestActions(machine: MaybeRefOrGetter<MachineView | undefined>, info?: MaybeRefOrGetter<GuestInfo | null>): GuestActions {
  const connection = useConnectionStore()
  const window = useWindowStore()

  const whyNot = (ability: GuestAbility) => computed(() => {
    if (!connection.isOpen) return 'There is no connection to the host.'
    const view = toValue(machine)
    if (!view) return 'No machine is selected.'
    const refused = whyRefused('useGuest', view)
    if (refused !== null || info === undefined) return refused
    const told = toValue(info)
    return told === null ? 'The guest’s agent has not answered.' : (told.cannot[ability] ?? null)
  })
  const opens = (type: Extract<MachineDialog['type'], 'runInGuest' | 'copyIn' | 'copyOut' | 'guestPassword'>) => (): Promise<void> => {
    const view = toValue(machine)
    if (view) window.dialog = { type, machineId: view.id }
    return Promise.resolve()
  }
  return {
    run: useAction({ label: 'Run a command…', icon: 'i-lucide-square-terminal', whyNot: whyNot('run'), run: opens('runInGuest') }),
    copyIn: useAction({ label: 'Copy a file in…', icon: 'i-lucide-file-input', whyNot: whyNot('copy'), run: opens('copyIn') }),
    copyOut: useAction({ label: 'Copy a file out…', icon: 'i-lucide-file-output', whyNot: whyNot('copy'), run: opens('copyOut') }),
    setPassword: useAction({ label: 'Set a password…', icon: 'i-lucide-key-round', whyNot: whyNot('setPassword'), run: opens('guestPassword') }),
  }
}
