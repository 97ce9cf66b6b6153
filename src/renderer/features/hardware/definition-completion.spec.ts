import { HardwareProperty, MachineHardware } from '@shared/model'
import { expect, test } from 'vitest'
import { aDefinition } from '../../stores/spec-data'
import { offersAt, propertyAt } from './definition-completion'
import { knownAt } from './definition-schema'
import { definitionText } from './definition-text'
import { placeAt } from './text-place'

const disk = { id: 'disk0', image: { kind: 'own' as const, path: 'disks/disk0.qcow2' }, format: 'qcow2' as const, bus: 'virtio-blk' as const }
const hardware = MachineHardware.parse({ ...aDefinition(1), disks: [disk], cdroms: [{ id: 'cd0', image: null, bus: 'sata' }], boot: { order: ['disk0'] } })
const property = (path: string, kind: HardwareProperty['kind'], more: Partial<HardwareProperty> = {}): HardwareProperty =>
  HardwareProperty.parse({ path, label: path, term: path, help: `Help of ${path}.`, kind, live: { possible: false, reason: '' }, obstacle: null, ...more })
const properties = [
  property('memoryMiB', 'number'), property('memory.hugePages', 'switch', { obstacle: 'There are none here.' }), property('boot.order', 'list'),
  property('disks.*.bus', 'choice', { choices: [{ value: 'nvme', label: 'NVMe', obstacle: 'QEMU was built without nvme.' }, { value: 'sata', label: 'SATA', obstacle: null }] }),
]
/** `|` is where somebody writes. */
function at(marked: string) {
  return placeAt(marked.replace('|', ''), marked.indexOf('|'))
}
const offers = (marked: string) => { const place = at(marked); return place === null ? null : offersAt(place, { properties, hardware }) }
const labels = (marked: string) => offers(marked)?.map(({ label }) => label) ?? null

test.each([
  ['{|}', 'key', []], ['{"a": 1, |}', 'key', []], ['{"a": 1, "me|', 'key', []], ['{me|}', 'key', []], ['{"a": |}', 'value', ['a']], ['{"a": tr|}', 'value', ['a']], ['{"a": "x|"}', 'value', ['a']],
  ['{"a": {"b": [1, {"c": |', 'value', ['a', 'b', '1', 'c']], ['{"a": [|]}', 'value', ['a', '0']], ['{"a": ["x", |', 'value', ['a', '1']], ['{"a": "}{[", "b": |', 'value', ['b']], ['{"a": {"b": 1}, "|": 2}', 'key', []],
] as const)('in %s a %s may be written', (marked, kind, path) => {
  expect(at(marked)).toMatchObject({ kind, path })
})

test.each(['|', '{"a"|}', '{"a": 1 |}', '{"a": "x"|}', '{"a": [1 |]}', '{} |', '{"a": {}|}'])('in %s nothing may be written', (marked) => {
  expect(at(marked)).toBeNull()
})

test('what is there is replaced whole, and what is beside it is not offered again', () => {
  expect(at('{"a": "sa|ta"}')).toMatchObject({ from: 6, to: 12 })
  expect(at('{"a": 1, "b|": 2, "c": {"d": 3}, "e": 4}')).toMatchObject({ beside: ['a', 'c', 'e'] })
  expect(labels('{"clock": "utc", | "osId": "x"}')).not.toEqual(expect.arrayContaining(['clock', 'osId']))
})

test('settings are offered by the schema, with their words and help', () => {
  expect(offers('{"mem|')?.find(({ label }) => label === 'memoryMiB')).toEqual({ label: 'memoryMiB', text: '"memoryMiB"', detail: 'memoryMiB', info: 'Help of memoryMiB.', obstacle: null })
  expect(labels('{"disks": [{|')).toEqual(expect.arrayContaining(['id', 'image', 'bus', 'detectZeroes']))
  expect(labels('{"disks": [{"image": {|')).toEqual(['kind', 'path'])
  expect(labels('{"firmware": {|')).toEqual(['type', 'secureBoot', 'nvram'])
})

test('values are offered: choices of this QEMU with what speaks against them last, switches, nothing, devices', () => {
  expect(offers('{"disks": [{"bus": |')).toEqual([expect.objectContaining({ label: 'sata', obstacle: null }), expect.objectContaining({ label: 'nvme', obstacle: 'QEMU was built without nvme.' })])
  expect(labels('{"clock": "|"')).toEqual(['utc', 'localtime'])
  expect(offers('{"memory": {"hugePages": |')?.map(({ text, obstacle }) => [text, obstacle])).toEqual([['false', null], ['true', 'There are none here.']])
  expect(labels('{"sound": |')).toEqual(['null'])
  expect(labels('{"disks": [{"image": {"kind": |')).toEqual(['own', 'external'])
  expect(offers('{"boot": {"order": ["disk0", |')).toEqual([expect.objectContaining({ label: 'cd0', detail: 'CD drive' })])
})

test('every place of a whole definition has something to say or nothing, and never throws', () => {
  const text = definitionText(hardware)
  for (let position = 0; position <= text.length; position += 1) {
    const place = placeAt(text, position)
    if (place !== null) expect(offersAt(place, { properties, hardware })).toBeInstanceOf(Array)
  }
  expect(knownAt(['nothing', 'there'])).toEqual({ keys: [], values: [] })
})

test('a path is explained by its own property, else by that of the part that it is in', () => {
  expect([propertyAt(['disks', '0', 'bus'], properties)?.path, propertyAt(['boot', 'order', '1'], properties)?.path, propertyAt(['osId'], properties)]).toEqual(['disks.*.bus', 'boot.order', null])
})
