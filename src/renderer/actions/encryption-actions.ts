import type { EncryptionState, MachineView } from '@shared/model'
import { computed, toValue, type MaybeRefOrGetter } from 'vue'
import { useConnectionStore } from '../stores/connection.store'
import { noteKeyChange } from '../stores/key-changes'
import { useWindowStore, type MachineDialog } from '../stores/window.store'
import { useClient } from '../transport/client'
import { askToUnlock } from '../ui/unlock'
import { notify } from './notify'
import { useAction, type Action } from './use-action'

export interface EncryptionActions {
  unlock: Action
  /** Forgets the key in memory. */
  lock: Action
  remember: Action
  /** Takes the key out of the keychain. */
  forget: Action
  /** These ask in a dialog of their own. */
  changePassphrase: Action
  showDiskKey: Action
}

/** What can be done about a machine's disk key. @param state as it was told last; null: nothing yet */
export function useEncryptionActions(machine: MaybeRefOrGetter<MachineView>, state: MaybeRefOrGetter<EncryptionState | null>): EncryptionActions {
  const connection = useConnectionStore()
  const window = useWindowStore()

  const whyNot = (judge: (state: EncryptionState) => string | null) => computed(() => {
    if (!connection.isOpen) return 'There is no connection to the host.'
    const told = toValue(state)
    if (told === null) return 'Looking how it stands with its key…'
    return told.hasKey ? judge(told) : 'The machine has no passphrase.'
  })
  const id = (): string => toValue(machine).id
  const called = (): string => `“${toValue(machine).definition.name}”`
  const opens = (type: Extract<MachineDialog['type'], 'changePassphrase' | 'diskKey'>) => (): Promise<void> => {
    window.dialog = { type, machineId: id() }
    return Promise.resolve()
  }
  const does = (call: (id: string) => Promise<unknown>, done: () => string) => async (): Promise<void> => {
    await call(id())
    noteKeyChange()
    notify({ kind: 'done', title: done() })
  }
  const api = useClient().encryption
  return {
    unlock: useAction({ label: 'Unlock…', icon: 'i-lucide-lock-open', whyNot: whyNot(({ unlocked }) => (unlocked ? 'It is unlocked.' : null)), run: () => askToUnlock(id()) }),
    lock: useAction({
      label: 'Lock now', icon: 'i-lucide-lock', failure: () => `${called()} is still unlocked`,
      whyNot: whyNot(({ unlocked, remembered }) => (!unlocked ? 'It is locked.' : remembered ? 'The keychain would give the key again. Take it out there first.' : null)),
      run: does((machineId) => api.lock({ id: machineId }), () => `${called()} is locked. What runs goes on.`),
    }),
    remember: useAction({
      label: 'Keep in the keychain', icon: 'i-lucide-key-square', failure: () => `The key of ${called()} was not kept`,
      whyNot: whyNot(({ keychain, unlocked, remembered }) => (keychain.available ? (remembered ? 'The keychain keeps it.' : unlocked ? null : 'Unlock it first.') : (keychain.reason ?? 'There is no keychain here.'))),
      run: does((machineId) => api.remember({ id: machineId }), () => `The keychain keeps the key of ${called()}`),
    }),
    forget: useAction({
      label: 'Take out of the keychain', icon: 'i-lucide-key-square', failure: () => `The keychain still keeps the key of ${called()}`,
      whyNot: whyNot(({ remembered }) => (remembered ? null : 'The keychain does not keep it.')),
      run: does((machineId) => api.forget({ id: machineId }), () => `The keychain keeps the key of ${called()} no more`),
    }),
    changePassphrase: useAction({ label: 'Change the passphrase…', icon: 'i-lucide-square-asterisk', whyNot: whyNot(() => null), run: opens('changePassphrase') }),
    showDiskKey: useAction({ label: 'Show the disk key…', icon: 'i-lucide-key-round', whyNot: whyNot(() => null), run: opens('diskKey') }),
  }
}
