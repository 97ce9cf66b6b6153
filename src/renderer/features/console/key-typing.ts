import { strokes, type LayoutName } from './key-layouts'
import { keysyms } from './keysyms'

/** One key going down or up, as RFB wants it: the keysym, and the position (`KeyboardEvent.code`) for servers that take scan codes. */
export interface KeyEvent {
  keysym: number
  code: string
  down: boolean
}

export interface TypedText {
  /** Events of one character each, so that typing can be paced and stopped between characters with no key left down. */
  characters: KeyEvent[][]
  /** Characters that the layout has no key for, each once, in order. They are skipped. */
  untypable: string[]
}

const shift = { keysym: keysyms.Shift_L, code: 'ShiftLeft' }
const altGr = { keysym: keysyms.ISO_Level3_Shift, code: 'AltRight' }
const space = { keysym: 0x20, code: 'Space' }

function press(key: { keysym: number; code: string }): KeyEvent[] {
  return [{ ...key, down: true }, { ...key, down: false }]
}

function keysymOf(character: string): number {
  if (character === '\n') return keysyms.Return
  if (character === '\t') return keysyms.Tab
  const point = character.codePointAt(0) ?? 0
  // X11: Latin-1 keysyms are their code points, all others are 0x01000000 + code point.
  return point <= 0xff ? point : 0x0100_0000 | point
}

/** Turns text into key strokes on the named layout. Line ends of any kind become one Enter. Pure. */
export function typeText(text: string, layout: LayoutName): TypedText {
  const characters: KeyEvent[][] = []
  const untypable = new Set<string>()
  for (const character of text.replace(/\r\n?/gu, '\n').normalize('NFC')) {
    const stroke = strokes[layout].get(character)
    if (!stroke) {
      untypable.add(character)
      continue
    }
    const held = [...(stroke.shift ? [shift] : []), ...(stroke.altGr ? [altGr] : [])]
    characters.push([
      ...held.map((key) => ({ ...key, down: true })),
      ...press({ keysym: keysymOf(character), code: stroke.code }),
      ...held.reverse().map((key) => ({ ...key, down: false })),
      ...(stroke.thenSpace ? press(space) : []),
    ])
  }
  return { characters, untypable: [...untypable] }
}

/** The events of keys pressed together: down in order, up in reverse. */
export function chord(keys: readonly { keysym: number; code: string }[]): KeyEvent[] {
  return [...keys.map((key) => ({ ...key, down: true })), ...[...keys].reverse().map((key) => ({ ...key, down: false }))]
}

/**
 * Sends characters one by one at the given speed until all are sent or the signal aborts. Keys are never left down.
 * @returns how many characters were sent
 */
export async function sendTyped(
  characters: readonly KeyEvent[][],
  send: (event: KeyEvent) => void,
  options: { charactersPerSecond: number; signal: AbortSignal; onProgress?: (sent: number) => void },
): Promise<number> {
  let sent = 0
  for (const events of characters) {
    if (options.signal.aborted) break
    for (const event of events) send(event)
    sent += 1
    options.onProgress?.(sent)
    if (sent < characters.length) await pause(1000 / options.charactersPerSecond, options.signal)
  }
  return sent
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve()
      return
    }
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
