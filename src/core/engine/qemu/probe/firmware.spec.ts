import { expect, test } from 'vitest'
import { readDescriptor } from './firmware'

const descriptor = {
  'description': 'UEFI for x86_64', 'interface-types': ['uefi'],
  'mapping': { device: 'flash', executable: { filename: '/fw/code.fd', format: 'raw' }, 'nvram-template': { filename: '/fw/vars.fd', format: 'raw' } },
  'targets': [{ architecture: 'x86_64', machines: ['pc-q35-*'] }],
  'features': ['secure-boot', 'requires-smm', 'enrolled-keys'], 'tags': [],
}
const read = (changes: object): ReturnType<typeof readDescriptor> => readDescriptor(JSON.stringify({ ...descriptor, ...changes }))

test('a descriptor for q35 flash chips', () => {
  expect(read({})).toEqual({
    codePath: '/fw/code.fd', codeFormat: 'raw', varsTemplatePath: '/fw/vars.fd', varsFormat: 'raw', secureBoot: true, enrolledKeys: true, requiresSmm: true, description: 'UEFI for x86_64',
  })
  expect(read({ features: [] })).toMatchObject({ secureBoot: false, enrolledKeys: false, requiresSmm: false })
})

test.each([
  ['another processor', { targets: [{ architecture: 'aarch64', machines: ['virt-*'] }] }],
  ['another board', { targets: [{ architecture: 'x86_64', machines: ['microvm'] }] }],
  ['no UEFI', { 'interface-types': ['bios'] }],
  ['memory instead of flash', { mapping: { device: 'memory', filename: '/fw/x.fd' } }],
  ['a confidential guest', { features: ['intel-tdx'] }],
])('%s is none of ours', (_name, changes) => {
  expect(read(changes)).toBeNull()
})

test('an empty file hides a descriptor, a damaged one is passed over', () => {
  expect(readDescriptor('')).toBeNull()
  expect(readDescriptor('{"description":')).toBeNull()
})
