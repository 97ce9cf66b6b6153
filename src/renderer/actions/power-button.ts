import { shallowReactive } from 'vue'

/** Patience with a guest that was asked to shut down, before force is offered. */
export const guestPatienceMs = 15_000

const pressedAt = shallowReactive(new Map<string, number>())

/** Remembers that the machine's power button was pressed just now. */
export function notePowerButton(id: string): void {
  pressedAt.set(id, Date.now())
}

/** When the power button was last pressed in this window, in milliseconds since the epoch. */
export function powerButtonPressedAt(id: string): number | undefined {
  return pressedAt.get(id)
}

/** The machine went off, or the person gave up on it: nothing is waited for any more. */
export function forgetPowerButton(id: string): void {
  pressedAt.delete(id)
}
