import type { GuestActions } from './guest-actions'
import type { Action } from './use-action'

/** An entry of a menu made of an action: disabled with its reason underneath. */
export interface ActionMenuItem {
  label: string
  icon: string
  color?: 'error'
  disabled: boolean
  description?: string
  kbds?: string[]
  /** Absent: it opens `children`. */
  onSelect?: () => void
  children?: ActionMenuItem[][]
}

export function menuItem(action: Action, options: { label?: string; dangerous?: boolean; kbds?: string[] } = {}): ActionMenuItem {
  const why = action.whyNot.value
  return {
    label: options.label ?? action.label,
    icon: action.icon,
    disabled: why !== null,
    ...(options.dangerous ? { color: 'error' as const } : {}),
    ...(why !== null ? { description: why } : {}),
    ...(options.kbds ? { kbds: options.kbds } : {}),
    onSelect: () => void action.run(),
  }
}

/** What can be done in the guest, as a menu of its own. */
export function guestMenu({ run, copyIn, copyOut, setPassword }: GuestActions): ActionMenuItem {
  return { label: 'In the guest', icon: 'i-lucide-message-circle', disabled: false, children: [[menuItem(run)], [menuItem(copyIn), menuItem(copyOut)], [menuItem(setPassword)]] }
}
