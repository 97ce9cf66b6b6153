const macLabels: Readonly<Record<string, string>> = { mod: '⌘', shift: '⇧', alt: '⌥', ctrl: '⌃', enter: '↩', delete: '⌫', escape: '⎋', up: '↑', down: '↓', left: '←', right: '→' }
const otherLabels: Readonly<Record<string, string>> = { mod: 'Ctrl', shift: 'Shift', alt: 'Alt', ctrl: 'Ctrl', enter: 'Enter', delete: 'Del', escape: 'Esc', up: '↑', down: '↓', left: '←', right: '→' }

/** Whether the person sits at a Mac: the modifier of shortcuts is ⌘ there. */
export function isMac(): boolean {
  return window.ringside ? window.ringside.platform === 'darwin' : /mac/iu.test(navigator.userAgent)
}

/** The keys of a shortcut as they stand on the keyboard: `mod+k` is `['Ctrl', 'K']`, or `['⌘', 'K']` on a Mac. */
export function keyLabels(keys: string, mac = isMac()): string[] {
  const table = mac ? macLabels : otherLabels
  return keys.split('+').map((key) => table[key.toLowerCase()] ?? (key.length === 1 ? key.toUpperCase() : key))
}
