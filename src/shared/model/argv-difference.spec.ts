import { expect, test } from 'vitest'
import { argvDifference } from './argv-difference'

const told = (before: string[], after: string[]): string[] => argvDifference(before, after).map(({ kind, words }) => `${{ same: ' ', added: '+', removed: '-' }[kind]}${words.join(' ')}`)

test('options that came, went or became others are told in their place', () => {
  expect(told(['qemu', '-S', '-m', 'size=64M', '-device', 'a', '-device', 'b'], ['qemu', '-S', '-m', 'size=96M', '-device', 'b', '-device', 'c'])).toEqual([' qemu', ' -S', '--m size=64M', '--device a', '+-m size=96M', ' -device b', '+-device c'])
})

test('the same is the same, and from nothing everything is new', () => {
  expect(told(['qemu', '-S'], ['qemu', '-S'])).toEqual([' qemu', ' -S'])
  expect(told([], ['qemu', '-m', '1'])).toEqual(['+qemu', '+-m 1'])
})
