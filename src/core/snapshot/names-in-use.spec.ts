import { expect, test } from 'vitest'
import { NamesInUse } from './names-in-use'
import { definitionOf, graphOf, manifestOf, snapshotId, surveyOf } from './snapshot.fixture'

const survey = surveyOf(graphOf(), definitionOf({}), [manifestOf(1, {}, { name: 'Before the update' })])
const taken = expect.objectContaining({ code: 'NAME_TAKEN' }) as Error

test('a name is taken by another snapshot, whatever its case, and not by the one that has it', () => {
  const names = new NamesInUse()
  expect(() => names.reserve(survey, ' BEFORE the Update ')).toThrow(taken)
  expect(() => names.reserve(survey, 'Before The Update', snapshotId(1))).not.toThrow()
})

test('a name that is about to be given is taken until it was given or came to nothing', () => {
  const names = new NamesInUse()
  const release = names.reserve(survey, 'New')
  expect(() => names.reserve(survey, 'new')).toThrow(taken)
  const other = surveyOf(graphOf(), definitionOf({}, { id: snapshotId(9) }), [])
  expect(() => names.reserve(other, 'New')).not.toThrow()
  release()
  release()
  expect(() => names.reserve(survey, 'new')).not.toThrow()
})
