import { expect, test } from 'vitest'
import { combinationOf } from './shortcuts.composable'

const key = (init: KeyboardEventInit): KeyboardEvent => new KeyboardEvent('keydown', init)

test('names combinations as the map of shortcuts does', () => {
  expect(combinationOf(key({ key: 'k', ctrlKey: true }), false)).toBe('mod+k')
  expect(combinationOf(key({ key: 'k', metaKey: true }), true)).toBe('mod+k')
  expect(combinationOf(key({ key: 'k', ctrlKey: true }), true)).toBe('k')
  expect(combinationOf(key({ key: '?', shiftKey: true }), false)).toBe('?')
  expect(combinationOf(key({ key: 'P', ctrlKey: true, shiftKey: true }), false)).toBe('mod+shift+p')
  expect(combinationOf(key({ key: '¡', code: 'Digit1', altKey: true }), true)).toBe('alt+1')
  expect(combinationOf(key({ key: 'F2' }), false)).toBe('F2')
})
