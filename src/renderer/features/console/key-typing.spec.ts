import { expect, test, vi } from 'vitest'
import { layoutNames, strokes, type LayoutName } from './key-layouts'
import { chord, sendTyped, typeText, type KeyEvent } from './key-typing'

const short = (events: KeyEvent[]): string => events.map((event) => `${event.down ? '+' : '-'}${event.code}`).join(' ')

test.each([
  ['us', 'a', '+KeyA -KeyA'],
  ['us', 'A', '+ShiftLeft +KeyA -KeyA -ShiftLeft'],
  ['us', '@', '+ShiftLeft +Digit2 -Digit2 -ShiftLeft'],
  ['gb', '@', '+ShiftLeft +Quote -Quote -ShiftLeft'],
  ['de', '@', '+AltRight +KeyQ -KeyQ -AltRight'],
  ['de', 'z', '+KeyY -KeyY'],
  ['de', '^', '+Backquote -Backquote +Space -Space'],
  ['fr', 'a', '+KeyQ -KeyQ'],
  ['fr', '1', '+ShiftLeft +Digit1 -Digit1 -ShiftLeft'],
  ['fr', '^', '+AltRight +Digit9 -Digit9 -AltRight'],
  ['fr', '@', '+AltRight +Digit0 -Digit0 -AltRight'],
] as const)('on %s, %s is typed %s', (layout, character, expected) => {
  expect(typeText(character, layout).characters.map(short)).toEqual([expected])
})

test('line ends of any kind are one Enter, and keysyms follow X11', () => {
  const events = typeText('é\r\n\r\t€', 'fr').characters.map((of) => of.find((event) => event.down && event.code !== 'AltRight')?.keysym)
  expect(events).toEqual([0xe9, 0xff0d, 0xff0d, 0xff09, 0x0100_20ac])
})

test('characters without a key are told once each and skipped', () => {
  const typed = typeText('a→b→ñ', 'us')
  expect(typed.untypable).toEqual(['→', 'ñ'])
  expect(typed.characters).toHaveLength(2)
})

test('a decomposed accent is typed as the one key it is', () => {
  expect(typeText('e\u0301', 'fr')).toMatchObject({ untypable: [], characters: [[{ code: 'Digit2' }, { code: 'Digit2' }]] })
})

test.each(Object.keys(layoutNames) as LayoutName[])('%s has a key for all of printable ASCII', (layout) => {
  const missing = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).filter((character) => !strokes[layout].has(character))
  expect(missing).toEqual([])
})

test('every key that goes down comes up again', () => {
  const down = new Set<string>()
  for (const event of [...typeText('Aß{~^', 'de').characters.flat(), ...chord([{ keysym: 1, code: 'a' }, { keysym: 2, code: 'b' }])]) {
    if (event.down) down.add(event.code)
    else down.delete(event.code)
  }
  expect([...down]).toEqual([])
})

test('typing is paced and stops between characters', async () => {
  vi.useFakeTimers()
  const stop = new AbortController()
  const sent: KeyEvent[] = []
  const typing = sendTyped(typeText('abc', 'us').characters, (event) => sent.push(event), { charactersPerSecond: 10, signal: stop.signal })
  expect(sent).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(100)
  expect(sent).toHaveLength(4)
  stop.abort()
  await expect(typing).resolves.toBe(2)
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})
