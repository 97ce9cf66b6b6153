import type { RingsideError } from '@shared/errors'
import { readonly, shallowRef } from 'vue'

interface Pending {
  machineId: string
  /** Something waits for it and goes on by itself then. */
  continues: boolean
  answer: (unlocked: boolean) => void
}
const pending = shallowRef<Pending | null>(null)
/** Questions that wait for the same machine get one answer. */
let underWay: { machineId: string; asked: Promise<boolean> } | null = null

/** The machine whose passphrase is asked for; `UnlockDialog` shows it. */
export const pendingUnlock = readonly(pending)

/** Asks the person for the passphrase of the machine that an error names. @returns whether its disks can be opened now */
export function askUnlock(error: RingsideError): Promise<boolean> {
  const { machineId } = error.data
  return machineId === undefined ? Promise.resolve(false) : ask(machineId, true)
}

/** Asks for the passphrase of a machine because the person wants it unlocked. @returns whether its disks can be opened now */
export function askToUnlock(machineId: string): Promise<boolean> {
  return ask(machineId, false)
}

function ask(machineId: string, continues: boolean): Promise<boolean> {
  if (underWay?.machineId === machineId) return underWay.asked
  pending.value?.answer(false)
  const asked = new Promise<boolean>((resolve) => {
    pending.value = {
      machineId, continues,
      answer: (unlocked) => {
        pending.value = null
        underWay = null
        resolve(unlocked)
      },
    }
  })
  underWay = { machineId, asked }
  return asked
}
