import { expect, test } from 'vitest'
import { MachineHardware } from '@shared/model'
import { aDefinition } from '../../stores/spec-data'
import { beginWith, edited, rebased, redone, undone } from './edit-history'

const base = MachineHardware.parse(aDefinition(1))
const memory = (memoryMiB: number, of = base): MachineHardware => ({ ...of, memoryMiB })

test('every edit can be undone and done again, with its name', () => {
  const two = edited(edited(beginWith(base), memory(2), 'Memory'), { ...memory(2), clock: 'localtime' }, 'Clock')
  expect(two.past.map(({ label }) => label)).toEqual(['Memory', 'Clock'])
  const one = undone(two)
  expect([one.present.clock, one.future[0]?.label]).toEqual(['utc', 'Clock'])
  expect(undone(one).present).toEqual(base)
  expect(redone(one).present).toEqual(two.present)
  expect([undone(beginWith(base)).present, redone(two)]).toEqual([base, two])
})

test('what is typed into one field is one step, and none when it is as before in the end', () => {
  const typed = [20, 204, 2048].reduce((history, amount) => edited(history, memory(amount), 'Memory', 'memoryMiB'), beginWith(base))
  expect([typed.past.length, undone(typed).present]).toEqual([1, base])
  expect(edited(typed, base, 'Memory', 'memoryMiB').past).toEqual([])
})

test('an edit after an undo forgets what was undone', () => {
  const history = edited(undone(edited(beginWith(base), memory(2), 'a')), memory(3), 'b')
  expect([history.future, history.present.memoryMiB]).toEqual([[], 3])
})

test('when the machine becomes another the edits and the way back stand on it', () => {
  const onto = { ...base, serialPorts: 3 }
  const history = rebased(edited(beginWith(base), memory(2), 'a'), base, onto)
  expect(history.present).toEqual({ ...memory(2), serialPorts: 3 })
  expect(undone(history).present).toEqual(onto)
})
