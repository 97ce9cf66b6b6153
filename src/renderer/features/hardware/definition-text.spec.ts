import { expect, test } from 'vitest'
import { MachineHardware } from '@shared/model'
import { aDefinition } from '../../stores/spec-data'
import { definitionText, readDefinition } from './definition-text'

const base = MachineHardware.parse(aDefinition(1, { cdroms: [{ id: 'cd0', image: null, bus: 'sata' }, { id: 'cd1', image: null, bus: 'sata' }] }))
const text = definitionText(base)
const lineWith = (of: string, words: string): number => of.split('\n').findIndex((line) => line.includes(words)) + 1
function faultsOf(of: string) {
  const reading = readDefinition(of)
  return 'faults' in reading ? reading.faults : []
}

test('the text of a definition is read as it was', () => {
  expect(readDefinition(text)).toEqual({ hardware: base })
})

test('all faults are told at once, each with its line', () => {
  const broken = text.replace('"memoryMiB": 1024', '"memoryMiB": "much"').replace('"clock": "utc"', '"clokc": "utc"').replace('"id": "cd1"', '"id": "CD 1"')
  expect(faultsOf(broken).map(({ line, path }) => [line, path])).toEqual([[lineWith(broken, 'much'), 'memoryMiB'], [lineWith(broken, 'clokc'), 'clokc'], [lineWith(broken, 'CD 1'), 'cdroms.1.id']])
})

test('a setting that nobody knows is a fault, wherever it is', () => {
  const broken = text.replace('"menu": false', '"menu": false,\n    "menue": true')
  expect(faultsOf(broken)).toEqual([{ line: lineWith(broken, 'menue'), path: 'boot.menue', message: 'There is no setting “menue” here.' }])
})

test('what is no JSON is told by its line', () => {
  expect(faultsOf(text.replace('"memoryMiB": 1024,', '"memoryMiB": 1024'))[0]?.line).toBe(lineWith(text, '"memoryMiB"') + 1)
})
