import { expect, test } from 'vitest'
import type { SchemaInfo } from '../qmp'
import { missingFeatures, readFeatures } from './features'

const command = (name: string, more: Partial<SchemaInfo> = {}): SchemaInfo => ({ name, 'meta-type': 'command', ...more })
const values = (...names: string[]): SchemaInfo => ({ name: names.join(), 'meta-type': 'enum', values: names })
const commands = ['blockdev-add', 'blockdev-insert-medium', 'query-cpus-fast', 'qom-list-types', 'migrate-incoming', 'screendump', 'object-add'].map((name) => command(name))
const enough = [command('device_add', { features: ['json-cli'] }), ...commands]

test('a QEMU that has what is needed lacks nothing', () => {
  expect(missingFeatures(enough)).toEqual([])
})

test('everything that is missing is named at once', () => {
  expect(missingFeatures(enough.filter(({ name }) => name !== 'device_add' && name !== 'screendump'))).toEqual(['devices described in JSON', 'the QMP command “screendump”'])
  expect(missingFeatures([]).length).toBeGreaterThan(5)
})

test('features are read from what types hold, since types have no names in a schema', () => {
  const none = readFeatures(enough)
  expect(Object.values(none).filter(Boolean)).toHaveLength(1)
  expect(none.jsonDevices).toBe(true)
  const some = readFeatures([
    ...enough, command('screendump', { 'arg-type': '1' }), { name: '1', 'meta-type': 'object', members: [{ name: 'filename', type: 'str' }, { name: 'format', type: '2' }] },
    values('xbzrle', 'postcopy-ram', 'multifd', 'background-snapshot', 'mapped-ram'), values('socket', 'exec', 'rdma', 'file'), values('user', 'hubport', 'stream'),
  ])
  expect(some).toMatchObject({ screendumpPng: true, multifd: true, backgroundSnapshot: true, mappedRam: true, fileMigration: true, netdevStream: true, vdagent: false })
})

test('a larger enumeration with the same words is not taken for the one of migration addresses', () => {
  expect(readFeatures([values('socket', 'exec', 'file', 'serial', 'pipe', 'null')]).fileMigration).toBe(false)
})
