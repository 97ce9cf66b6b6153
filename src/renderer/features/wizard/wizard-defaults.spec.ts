import { expect, test } from 'vitest'
import type { ImageReport, OsEntry } from '@shared/model'
import { fieldsFromReport, shortOsName, suggestName } from './wizard-defaults'
import { emptyForm } from './wizard-form'

test.each([
  ['Debian 12 “bookworm”', 'Debian 12'],
  ['Ubuntu 24.04 LTS and its flavours', 'Ubuntu 24.04 LTS'],
  ['Windows 7, Vista and Server 2008', 'Windows 7'],
  ['Haiku', 'Haiku'],
])('%s is %s for short', (name, short) => {
  expect(shortOsName(name)).toBe(short)
})

test('where the system says little, the file names the machine', () => {
  const form = { ...emptyForm(), filePath: '/iso/tails-amd64-6.0.iso' }
  const os = (name: string): OsEntry => ({ name }) as OsEntry
  expect(suggestName(form, os('Linux, any other'), [])).toBe('tails-amd64-6.0')
  expect(suggestName({ ...form, filePath: '' }, os('Linux, any other'), [])).toBe('Linux')
  expect(suggestName({ ...form, filePath: '' }, os('Any other 64-bit or 32-bit system'), ['New machine'])).toBe('New machine 2')
  expect(suggestName(form, os('Fedora'), [])).toBe('Fedora')
  expect(suggestName({ ...form, filePath: 'C:\\iso\\x.iso' }, null, [])).toBe('x')
})

test('a file that says nothing of itself would be a raw disk', () => {
  const report = (kind: ImageReport['kind'], format: ImageReport['format']): ImageReport => ({ kind, format, osId: null }) as ImageReport
  expect(fieldsFromReport(report('unknown', null))).toEqual({ diskFormat: 'raw', diskMode: 'convert' })
  expect(fieldsFromReport(report('disk', 'qcow2'))).toEqual({ fileUse: 'disk', diskFormat: 'qcow2', diskMode: 'copy' })
  expect(fieldsFromReport(report('iso', null))).toEqual({ fileUse: 'cdrom' })
})
