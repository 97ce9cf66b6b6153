/** Keyboard layouts that text can be typed with. The guest turns key positions into characters, so its own layout has to be the same. */
export const layoutNames = { us: 'English (US)', gb: 'English (UK)', de: 'German', fr: 'French' } as const
export type LayoutName = keyof typeof layoutNames

/** How one character is typed: key (`KeyboardEvent.code`), modifiers, and whether a space must follow a dead key. */
export interface KeyStroke {
  code: string
  shift: boolean
  altGr: boolean
  thenSpace: boolean
}

interface Layout {
  plain: string
  shifted: string
  altGr: Readonly<Record<string, string>>
  /** Characters whose key waits for the next one. */
  dead: string
}

const codes = [
  'Backquote', 'Digit1', 'Digit2', 'Digit3', 'Digit4', 'Digit5', 'Digit6', 'Digit7', 'Digit8', 'Digit9', 'Digit0', 'Minus', 'Equal',
  'KeyQ', 'KeyW', 'KeyE', 'KeyR', 'KeyT', 'KeyY', 'KeyU', 'KeyI', 'KeyO', 'KeyP', 'BracketLeft', 'BracketRight',
  'KeyA', 'KeyS', 'KeyD', 'KeyF', 'KeyG', 'KeyH', 'KeyJ', 'KeyK', 'KeyL', 'Semicolon', 'Quote', 'Backslash',
  'IntlBackslash', 'KeyZ', 'KeyX', 'KeyC', 'KeyV', 'KeyB', 'KeyN', 'KeyM', 'Comma', 'Period', 'Slash',
] as const

/** One character for each of `codes`, in order; the rows are those of the keyboard. A NUL stands for a key with nothing of use. */
const none = '\0'
const layouts: Readonly<Record<LayoutName, Layout>> = {
  us: {
    plain: '`1234567890-=' + 'qwertyuiop[]' + "asdfghjkl;'\\" + none + 'zxcvbnm,./',
    shifted: '~!@#$%^&*()_+' + 'QWERTYUIOP{}' + 'ASDFGHJKL:"|' + none + 'ZXCVBNM<>?',
    altGr: {},
    dead: '',
  },
  gb: {
    plain: '`1234567890-=' + 'qwertyuiop[]' + "asdfghjkl;'#" + '\\' + 'zxcvbnm,./',
    shifted: '¬!"£$%^&*()_+' + 'QWERTYUIOP{}' + 'ASDFGHJKL:@~' + '|' + 'ZXCVBNM<>?',
    altGr: { Digit4: '€' },
    dead: '',
  },
  de: {
    plain: '^1234567890ß´' + 'qwertzuiopü+' + 'asdfghjklöä#' + '<' + 'yxcvbnm,.-',
    shifted: '°!"§$%&/()=?`' + 'QWERTZUIOPÜ*' + "ASDFGHJKLÖÄ'" + '>' + 'YXCVBNM;:_',
    altGr: { KeyQ: '@', KeyE: '€', Digit7: '{', Digit8: '[', Digit9: ']', Digit0: '}', Minus: '\\', BracketRight: '~', IntlBackslash: '|', KeyM: 'µ', Digit2: '²', Digit3: '³' },
    dead: '^´`',
  },
  fr: {
    plain: '²&é"\'(-è_çà)=' + `azertyuiop${none}$` + 'qsdfghjklmù*' + '<' + 'wxcvbn,;:!',
    shifted: none + '1234567890°+' + 'AZERTYUIOP¨£' + 'QSDFGHJKLM%µ' + '>' + 'WXCVBN?./§',
    altGr: { Digit2: '~', Digit3: '#', Digit4: '{', Digit5: '[', Digit6: '|', Digit7: '`', Digit8: '\\', Digit9: '^', Digit0: '@', Minus: ']', Equal: '}', KeyE: '€' },
    // Only Windows holds back ~ and ` here, and what follows them is seldom a letter that they would join.
    dead: '¨',
  },
}

function strokesOf({ plain, shifted, altGr, dead }: Layout): Map<string, KeyStroke> {
  const strokes = new Map<string, KeyStroke>()
  const add = (character: string | undefined, code: string, shift: boolean, alt: boolean): void => {
    if (character === undefined || character === none || strokes.has(character)) return
    strokes.set(character, { code, shift, altGr: alt, thenSpace: dead.includes(character) })
  }
  codes.forEach((code, index) => { add(plain[index], code, false, false) })
  codes.forEach((code, index) => { add(shifted[index], code, true, false) })
  for (const [code, character] of Object.entries(altGr)) add(character, code, false, true)
  for (const [character, code] of [[' ', 'Space'], ['\n', 'Enter'], ['\t', 'Tab']] as const) add(character, code, false, false)
  return strokes
}

/** How each character that the layout has is typed. */
export const strokes: Readonly<Record<LayoutName, ReadonlyMap<string, KeyStroke>>> = {
  us: strokesOf(layouts.us),
  gb: strokesOf(layouts.gb),
  de: strokesOf(layouts.de),
  fr: strokesOf(layouts.fr),
}
