import { expect, test } from 'vitest'
import { checkQemuPath } from './qemu-path'

test('an empty path means search, a whole one may be looked at', () => {
  expect([checkQemuPath('', 'linux'), checkQemuPath(' /usr/bin ', 'linux'), checkQemuPath('C:\\qemu', 'win32'), checkQemuPath('\\\\server\\share', 'win32')]).toEqual([null, null, null, null])
})

test('a part of a path is told to be one, on each system in its own words', () => {
  expect(checkQemuPath('qemu/bin', 'linux')).toContain('begins with a slash')
  expect(checkQemuPath('/usr/bin', 'win32')).toContain('C:\\')
  expect(checkQemuPath(`/${'x'.repeat(5000)}`, 'darwin')).toContain('4,096')
})
