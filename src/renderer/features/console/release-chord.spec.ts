import { expect, test } from 'vitest'
import { ReleaseChord } from './release-chord'

function completes(keys: string): boolean[] {
  const chord = new ReleaseChord()
  return keys.split(' ').map((key) => chord.handle({ type: key.startsWith('+') ? 'keydown' : 'keyup', code: key.slice(1) }))
}

test.each([
  ['+ControlLeft +AltLeft -AltLeft -ControlLeft', true],
  ['+AltLeft +ControlRight -AltLeft -ControlRight', true],
  ['+ControlLeft +ControlLeft +AltLeft +AltLeft -ControlLeft -AltLeft', true],
  ['+ControlLeft +AltLeft +Delete -Delete -AltLeft -ControlLeft', false],
  ['+ControlLeft +KeyC +AltLeft -KeyC -AltLeft -ControlLeft', false],
  ['+ControlLeft -ControlLeft +AltLeft -AltLeft', false],
  ['+ControlLeft +AltRight -AltRight -ControlLeft', false],
])('%s releases the keyboard: %s', (keys, expected) => {
  expect(completes(keys).at(-1)).toBe(expected)
})

test('a click with the keys held spoils it, and the next chord works again', () => {
  const chord = new ReleaseChord()
  const press = (): boolean => {
    chord.handle({ type: 'keydown', code: 'ControlLeft' })
    chord.handle({ type: 'keydown', code: 'AltLeft' })
    return false
  }
  press()
  chord.spoil()
  chord.handle({ type: 'keyup', code: 'AltLeft' })
  expect(chord.handle({ type: 'keyup', code: 'ControlLeft' })).toBe(false)
  press()
  chord.handle({ type: 'keyup', code: 'AltLeft' })
  expect(chord.handle({ type: 'keyup', code: 'ControlLeft' })).toBe(true)
})

test('keys typed before do not matter', () => {
  expect(completes('+KeyA -KeyA +ControlLeft +AltLeft -AltLeft -ControlLeft').at(-1)).toBe(true)
})
