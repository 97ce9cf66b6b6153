import { expect, test } from 'vitest'
import { type HardwareProperty, MachineHardware } from '@shared/model'
import { aDefinition } from '../../stores/spec-data'
import { changesAt, deviceLabel, isMeant, nodeOf, nodesOf, placeInWords, propertiesOf, rowsOf } from './device-tree'
import { changesOf, withValue } from './hardware-edits'

const nic = (id: string): MachineHardware['nics'][number] => ({ id, model: 'virtio-net', macAddress: '52:54:00:12:34:56', backend: { type: 'user' }, linkUp: true, slot: null })
const base = MachineHardware.parse(aDefinition(1, { nics: [nic('net0'), nic('net1')], cdroms: [{ id: 'cd0', image: { kind: 'external', path: 'C:\\iso\\a.iso' }, bus: 'sata' }] }))
const nodes = nodesOf(base, base, 'Debian')
const property = (path: string, label: string, help = ''): HardwareProperty => ({ path, label, term: `-${label}`, help, kind: 'text', choices: [], minimum: null, maximum: null, unit: null, live: { possible: true, reason: null }, obstacle: null })
const properties = [property('memoryMiB', 'Memory'), property('nics.*.model', 'Model', 'The card'), property('usbController', 'Controller'), property('rawArguments', 'Arguments'), property('brandNew', 'New')]

test('the parts of a machine come in the order in which people look for them, with their devices', () => {
  expect(nodes.map(({ label }) => label)).toEqual([
    'System', 'Processors', 'Memory', 'Firmware & boot', 'TPM', 'Disks', 'CD drives', 'CD drive', 'Network', 'Network card 1', 'Network card 2', 'Display & input', 'Sound', 'USB', 'PCI devices', 'Serial & consoles', 'Shared folders',
    'Guest integration', 'Watchdog & panic', 'Expert',
  ])
  expect(nodes.find(({ id }) => id === 'cdroms.cd0')).toMatchObject({ summary: 'a.iso', term: 'cd0', parentId: 'cdroms' })
  expect(deviceLabel(base, 'nics', 'net1')).toBe('Network card 2')
})

test('what runs and is to go is shown as going', () => {
  const after = withValue(base, 'nics.net0', undefined)
  expect(nodesOf(after, base, '').filter(({ going }) => going).map(({ id }) => id)).toEqual(['nics.net0'])
})

test('each property is shown on one node, one that nobody knows on the expert’s', () => {
  expect(properties.map(({ path }) => nodeOf(path))).toEqual(['memory', 'nics', 'usbDevices', 'expert', 'expert'])
  expect(propertiesOf('nics.net1', properties).map(({ path }) => path)).toEqual(['nics.net1.model'])
  expect([propertiesOf('nics', properties), propertiesOf('usbDevices', properties).length]).toEqual([[], 1])
})

test('a search means nodes by their words and by those of their properties, and keeps their parents', () => {
  const search = (words: string): string[] => rowsOf(nodes, new Set(), (node) => isMeant(node, properties, words)).map(({ id }) => id)
  expect(search('a.iso')).toEqual(['cdroms', 'cdroms.cd0'])
  expect(search('THE CARD')).toEqual(['nics', 'nics.net0', 'nics.net1'])
  expect(search('nothing like it')).toEqual([])
})

test('rows tell their place, and devices of a part that is folded are hidden', () => {
  const rows = rowsOf(nodes, new Set(['nics']))
  expect(rows.find(({ id }) => id === 'nics')).toMatchObject({ level: 1, expanded: false, position: 8, siblings: 17 })
  expect(rows.some(({ id }) => id === 'nics.net0')).toBe(false)
  expect(rowsOf(nodes, new Set(['nics']), (node) => isMeant(node, properties, 'the card')).map(({ id, expanded }) => [id, expanded])).toEqual([['nics', false]])
  expect(rowsOf(nodes, new Set()).find(({ id }) => id === 'nics.net1')).toMatchObject({ level: 2, expanded: null, position: 2, siblings: 2 })
})

test('a change is told where it is seen: on its device, or on the part when the device is gone', () => {
  const after = withValue(withValue(base, 'nics.net0.linkUp', false), 'nics.net1', undefined)
  const changes = changesOf(base, after)
  expect([changesAt('nics.net0', changes, after).length, changesAt('nics', changes, after).map(({ path }) => path), changesAt('memory', changes, after)]).toEqual([1, ['nics.net1'], []])
})

test('a fault is found by its node and its field, which is not said twice', () => {
  const at = (path: string, message = 'It is wrong.'): string | null => placeInWords({ path, message }, nodes, properties)
  expect([at('nics.net1.model'), at('memoryMiB'), at('nics.net1.model', 'Model: no.'), at('rawArguments.0'), at('')]).toEqual(['Network card 2, Model', 'Memory', 'Network card 2', 'Expert, Arguments', null])
})
