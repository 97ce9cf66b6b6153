import { keysyms } from './keysyms'

/** Keys that a person sends by name because the host or the browser keeps them to itself. */
export interface Combination {
  label: string
  keys: readonly { keysym: number; code: string }[]
}

const ctrl = { keysym: keysyms.Control_L, code: 'ControlLeft' }
const alt = { keysym: keysyms.Alt_L, code: 'AltLeft' }
const meta = { keysym: keysyms.Super_L, code: 'MetaLeft' }
const letter = (character: string): { keysym: number; code: string } => ({ keysym: character.charCodeAt(0), code: `Key${character.toUpperCase()}` })

const functionKey = (number: number): { keysym: number; code: string } => ({ keysym: keysyms.F1 + number - 1, code: `F${String(number)}` })

/** Groups, as the menu shows them. */
export const combinationGroups: readonly (readonly Combination[])[] = [
  [
    { label: 'Ctrl+Alt+Del', keys: [ctrl, alt, { keysym: keysyms.Delete, code: 'Delete' }] },
    { label: 'Ctrl+Alt+Backspace', keys: [ctrl, alt, { keysym: keysyms.BackSpace, code: 'Backspace' }] },
  ],
  [
    { label: 'Alt+Tab', keys: [alt, { keysym: keysyms.Tab, code: 'Tab' }] },
    { label: 'Alt+F4', keys: [alt, functionKey(4)] },
    { label: 'Super', keys: [meta] },
    { label: 'Super+L', keys: [meta, letter('l')] },
    { label: 'Super+R', keys: [meta, letter('r')] },
  ],
  [
    { label: 'Ctrl+W', keys: [ctrl, letter('w')] },
    { label: 'Ctrl+T', keys: [ctrl, letter('t')] },
    { label: 'Ctrl+N', keys: [ctrl, letter('n')] },
    { label: 'Escape', keys: [{ keysym: keysyms.Escape, code: 'Escape' }] },
    { label: 'Tab', keys: [{ keysym: keysyms.Tab, code: 'Tab' }] },
    { label: 'F11', keys: [functionKey(11)] },
  ],
  [
    { label: 'Print Screen', keys: [{ keysym: keysyms.Print, code: 'PrintScreen' }] },
    { label: 'Pause', keys: [{ keysym: keysyms.Pause, code: 'Pause' }] },
    { label: 'Menu', keys: [{ keysym: keysyms.Menu, code: 'ContextMenu' }] },
    { label: 'Scroll Lock', keys: [{ keysym: keysyms.Scroll_Lock, code: 'ScrollLock' }] },
  ],
]

/** Switches to the text consoles of a Linux guest. */
export const consoleSwitches: readonly Combination[] = Array.from({ length: 12 }, (_, index) => ({
  label: `Ctrl+Alt+F${String(index + 1)}`,
  keys: [ctrl, alt, functionKey(index + 1)],
}))

/** Linux' magic SysRq keys, by what they ask of the kernel. */
export const sysRqs: readonly (Combination & { does: string })[] = (
  [
    ['r', 'take the keyboard back'],
    ['e', 'end all processes'],
    ['i', 'kill all processes'],
    ['s', 'write all to disk'],
    ['u', 'remount read-only'],
    ['b', 'reboot at once'],
    ['t', 'list tasks'],
    ['w', 'list blocked tasks'],
    ['m', 'show memory'],
    ['h', 'show help'],
  ] as const
).map(([key, does]) => ({ label: `Alt+SysRq+${key.toUpperCase()}`, does, keys: [alt, { keysym: keysyms.Sys_Req, code: 'PrintScreen' }, letter(key)] }))
