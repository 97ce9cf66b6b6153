import { expect, test } from 'vitest'
import { crumbsOf, matchesFilter } from './host-files'

test('crumbs lead from the root to the folder on every system', () => {
  expect(crumbsOf('/home/ada')).toEqual([{ name: '/', path: '/' }, { name: 'home', path: '/home' }, { name: 'ada', path: '/home/ada' }])
  expect(crumbsOf('/')).toEqual([{ name: '/', path: '/' }])
  expect(crumbsOf('C:\\Users\\Ada')).toEqual([{ name: 'C:', path: 'C:\\' }, { name: 'Users', path: 'C:\\Users' }, { name: 'Ada', path: 'C:\\Users\\Ada' }])
})

test('a filter looks at the extension in any case, and kernels have none', () => {
  expect(matchesFilter('Debian.ISO', 'iso')).toBe(true)
  expect(matchesFilter('disk.qcow2', 'iso')).toBe(false)
  expect(matchesFilter('disk.qcow2', 'disk')).toBe(true)
  expect(matchesFilter('.iso', 'iso')).toBe(false)
  expect(matchesFilter('vmlinuz-6.1', 'kernel')).toBe(true)
})
