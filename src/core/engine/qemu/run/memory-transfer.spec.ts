import { expect, test } from 'vitest'
import { chooseForm } from './memory-transfer'
import { breaksUnharmed, capabilitiesFor } from './migration'

const qemu7 = { backgroundSnapshot: true, multifd: true }
const qemu8 = { ...qemu7, fileMigration: true }
const qemu10 = { ...qemu8, mappedRam: true }

test.each([
  ['QEMU 7.2', qemu7, false, { format: 'stream', compression: 'none' }],
  ['QEMU 7.2 in the background', qemu7, true, { format: 'stream', compression: 'zstd' }],
  ['QEMU 8.2', qemu8, false, { format: 'stream', compression: 'none' }],
  ['QEMU 10', qemu10, false, { format: 'mapped-ram', compression: 'none' }],
  ['QEMU 10 in the background', qemu10, true, { format: 'stream', compression: 'none' }],
] as const)('%s writes memory in the form that is best there', (_, features, background, form) => {
  expect(chooseForm(features, background)).toEqual(form)
})

test('what a transfer must not have is switched off, and what QEMU does not know is not named', () => {
  expect(capabilitiesFor({ format: 'mapped-ram', way: 'out' }, qemu10)).toEqual([
    { capability: 'background-snapshot', state: false }, { capability: 'mapped-ram', state: true }, { capability: 'multifd', state: false },
  ])
  expect(capabilitiesFor({ format: 'mapped-ram', way: 'in' }, qemu10).at(-1)).toEqual({ capability: 'multifd', state: true })
  expect(capabilitiesFor({ format: 'stream', way: 'background' }, qemu7)).toEqual([{ capability: 'background-snapshot', state: true }, { capability: 'multifd', state: false }])
  expect(capabilitiesFor({ format: 'stream', way: 'out' }, {})).toEqual([])
})

test('only a QEMU that lets go of the guest’s memory may be stopped while it writes', () => {
  expect([qemu7, qemu8, qemu10].map(breaksUnharmed)).toEqual([false, true, true])
})
