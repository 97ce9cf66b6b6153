import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'

/** A question about one machine, or one of its snapshots, that a dialog of its own asks. */
export type MachineDialog =
  | { readonly type: 'takeSnapshot' | 'automaticSnapshots' | 'cleanUp' | 'makeTemplate' | 'runInGuest' | 'copyIn' | 'copyOut' | 'guestPassword' | 'changePassphrase' | 'diskKey'; readonly machineId: string }
  | { readonly type: 'revert' | 'deleteSnapshot'; readonly machineId: string; readonly snapshotId: string }
  /** `snapshotId` null: from what the machine is now. */
  | { readonly type: 'clone'; readonly machineId: string; readonly snapshotId: string | null }

/** What of this window is open, beside its page. */
export const useWindowStore = defineStore('window', () => {
  const wizardOpen = ref(false)
  const paletteOpen = ref(false)
  const shortcutsOpen = ref(false)
  const jobsOpen = ref(false)
  const dialog = shallowRef<MachineDialog | null>(null)
  /** The machine whose name is being edited, and where. */
  const renaming = ref<{ id: string; where: 'list' | 'header' } | null>(null)
  /** The machine that was shown last, so that the first page is the one that was left. */
  const lastMachineId = ref<string | null>(null)
  return { wizardOpen, paletteOpen, shortcutsOpen, jobsOpen, dialog, renaming, lastMachineId }
})
