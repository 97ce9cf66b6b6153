import { expect, test } from 'vitest'
import { failedFiles, failedTests, inWords, lastLine, tallyOfReport, withSecondRun, type FileResult } from './tally.mjs'

const file = (status: string, ...tests: string[]): Required<FileResult> => ({
  name: 'a.spec.ts', status, message: 'Cannot find module',
  assertionResults: tests.map((test) => ({ status: test, fullName: `what ${test}`, failureMessages: test === 'failed' ? ['\u001B[31mError: wrong\u001B[39m\n    at a.spec.ts:1:1'] : [] })),
})

/** What is told of a test of `file` that failed. */
const told = (name: string): string => `Failed: ${name}: what failed\n    Error: wrong\n        at a.spec.ts:1:1`

test('passed, failed and skipped tests are counted', () => {
  const { tally, notes } = tallyOfReport({ testResults: [file('passed', 'passed', 'passed', 'skipped'), file('failed', 'passed', 'failed', 'todo')] }, 1)
  expect(tally).toEqual({ passed: 3, failed: 1, skipped: 2 })
  expect(notes).toEqual([told('a.spec.ts')])
})

test('what a test said is told without colours and not at length', () => {
  const failed = { status: 'failed', fullName: 'a part › works', failureMessages: ['x'.repeat(5000)] }
  expect(failedTests({ testResults: [{ name: 'a.spec.ts', status: 'failed', assertionResults: [failed, { status: 'failed' }, { status: 'passed' }] }] })).toEqual([
    `Failed: a.spec.ts: a part › works\n    ${'x'.repeat(600)}`, 'Failed: a.spec.ts: a test',
  ])
  const many = failedTests({ testResults: [{ name: 'a.spec.ts', status: 'failed', assertionResults: Array.from({ length: 33 }, () => failed) }] })
  expect([many.length, many.at(-1)]).toEqual([21, '13 more failed, see above.'])
})

test('a file that could not be loaded is a failure', () => {
  expect(tallyOfReport({ testResults: [file('passed', 'passed'), file('failed')] }, 1)).toEqual({
    tally: { passed: 1, failed: 1, skipped: 0 }, notes: ['a.spec.ts failed outside its tests: Cannot find module'],
  })
})

test.each([
  ['no report', undefined, 1],
  ['no test', { testResults: [] }, 1],
  ['no test although vitest is content', { testResults: [] }, 0],
  ['an error outside every test', { testResults: [file('passed', 'passed')] }, 1],
])('%s is a failure', (_, report, exitCode) => {
  const { tally, notes } = tallyOfReport(report, exitCode)
  expect(tally.failed).toBe(1)
  expect(notes).toHaveLength(1)
})

test('skipped tests are named where there are some, but never in the last line', () => {
  expect(inWords({ passed: 3, failed: 0, skipped: 0 })).toBe('3 passed, 0 failed')
  expect(inWords({ passed: 3, failed: 1, skipped: 2 })).toBe('3 passed, 1 failed, 2 skipped')
  expect(lastLine({ passed: 3, failed: 1, skipped: 2 })).toBe('3 passed, 1 failed')
})

test('what a file did in a second run counts, and a failure that came again, or did not run again, stays one', () => {
  const first = { testResults: [{ ...file('failed', 'passed', 'failed'), name: 'b.spec.ts' }, { ...file('failed', 'failed'), name: 'c.spec.ts' }, file('passed', 'passed')] }
  expect(failedFiles(first)).toEqual(['b.spec.ts', 'c.spec.ts'])
  const second = { testResults: [{ ...file('passed', 'passed', 'passed'), name: 'b.spec.ts' }, { ...file('failed', 'failed'), name: 'c.spec.ts' }] }
  expect(tallyOfReport(withSecondRun(first, second), 1).tally).toEqual({ passed: 3, failed: 1, skipped: 0 })
  expect(tallyOfReport(withSecondRun(first, undefined), 1).tally).toEqual({ passed: 2, failed: 2, skipped: 0 })
})

test('an error outside every test counts in whichever run it came, beside files that failed and passed again', () => {
  const first = { testResults: [{ ...file('failed', 'failed'), name: 'b.spec.ts' }, file('passed', 'passed')], unhandledErrors: ['Error: nobody waited for this'] }
  const second = { testResults: [{ ...file('passed', 'passed'), name: 'b.spec.ts' }], unhandledErrors: [] }
  expect(tallyOfReport(withSecondRun(first, second), 0)).toEqual({
    tally: { passed: 2, failed: 1, skipped: 0 }, notes: ['An error outside every test: Error: nobody waited for this'],
  })
  expect(tallyOfReport(withSecondRun({ ...first, unhandledErrors: [] }, { ...second, unhandledErrors: first.unhandledErrors }), 1).tally).toEqual({ passed: 2, failed: 1, skipped: 0 })
  expect(tallyOfReport(first, 1).tally).toEqual({ passed: 1, failed: 2, skipped: 0 })
})

test('a file that could not be loaded is not run again, and stays a failure beside one that is; one whose preparation failed is run again', () => {
  const first = { testResults: [{ ...file('failed'), name: 'unloadable.spec.ts' }, { ...file('failed', 'skipped'), name: 'unprepared.spec.ts' }] }
  expect(failedFiles(first)).toEqual(['unprepared.spec.ts'])
  const second = { testResults: [{ ...file('passed', 'passed'), name: 'unloadable.spec.ts' }, { ...file('passed', 'passed'), name: 'unprepared.spec.ts' }] }
  expect(tallyOfReport(withSecondRun(first, second), 0)).toEqual({
    tally: { passed: 1, failed: 1, skipped: 0 }, notes: ['unloadable.spec.ts failed outside its tests: Cannot find module'],
  })
})
