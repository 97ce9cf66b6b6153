import { useEventListener } from '@vueuse/core'
import { isMac } from '../ui/keys'

/** A key combination such as `mod+k`, `alt+1`, `?` or `F2`; `mod` is Ctrl, or ⌘ on a Mac. */
export type ShortcutMap = Readonly<Record<string, (event: KeyboardEvent) => void>>

/** Whether keys belong to what has the focus: a field, or a console that hands them to the guest. */
function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.closest('input, textarea, select, [role="textbox"]') !== null)
}

/** The combination of a key event, in the form of `ShortcutMap`'s keys. */
export function combinationOf(event: KeyboardEvent, mac = isMac()): string {
  const parts: string[] = []
  if (mac ? event.metaKey : event.ctrlKey) parts.push('mod')
  if (event.altKey) parts.push('alt')
  const key = event.altKey && /^Digit\d$/u.test(event.code) ? event.code.slice(5) : event.key
  // Shift is part of what a character is (`?`), but a word of its own with named keys (`shift+F10`) and with modifiers.
  if (event.shiftKey && (key.length > 1 || parts.length > 0)) parts.push('shift')
  parts.push(key.length === 1 ? key.toLowerCase() : key)
  return parts.join('+')
}

/**
 * Shortcuts of the whole window. Those without a modifier rest while the person types; all rest in an element marked
 * `data-captures-keys` (a console), where every key is the guest's, and while a dialog or a menu is open.
 */
export function useShortcuts(map: ShortcutMap): void {
  function onKey(event: KeyboardEvent, phase: 'capture' | 'bubble'): void {
    if (event.defaultPrevented || event.repeat || event.isComposing) return
    const { target } = event
    if (target instanceof Element && target.closest('[data-captures-keys]')) return
    const combination = combinationOf(event)
    const run = map[combination]
    if (!run) return
    const modified = combination.startsWith('mod+') || combination.startsWith('alt+')
    if (modified !== (phase === 'capture')) return
    if (!modified && isTyping(target)) return
    // One that is just closing has the focus for a moment more, but no longer the keys.
    if (target instanceof Element && target.closest(':is([role="dialog"], [role="alertdialog"], [role="menu"]):not([data-state="closed"])') && combination !== 'mod+k') return
    event.preventDefault()
    if (modified) event.stopPropagation()
    run(event)
  }
  // On the way down, where a modifier is held: a button takes Enter for a click, Ctrl or not.
  useEventListener(window, 'keydown', (event: KeyboardEvent) => { onKey(event, 'capture') }, { capture: true })
  useEventListener(window, 'keydown', (event: KeyboardEvent) => { onKey(event, 'bubble') })
}
