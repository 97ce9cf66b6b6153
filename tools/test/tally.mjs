// @ts-check
import { relative } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

/** @typedef {{ passed: number, failed: number, skipped: number }} Tally */

/** @type {Tally} */
export const nothing = { passed: 0, failed: 0, skipped: 0 }

/**
 * @param {Tally} a
 * @param {Tally} b
 * @returns {Tally}
 */
export const plus = (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped })

/** @param {Tally} tally @returns {string} the last line of a run, which programs read: always these words and no others */
export const lastLine = ({ passed, failed }) => `${passed} passed, ${failed} failed`

/** @param {Tally} tally @returns {string} */
export const inWords = (tally) => `${lastLine(tally)}${tally.skipped > 0 ? `, ${tally.skipped} skipped` : ''}`

/** @typedef {{ status?: string, fullName?: string, failureMessages?: string[] }} TestResult */
/** @typedef {{ name?: string, status?: string, message?: string, assertionResults?: TestResult[] }} FileResult */
/** @typedef {{ testResults?: FileResult[], unhandledErrors?: string[] }} Report of vitest's JSON reporter, with what report.mjs adds: errors outside every test, in words */

/** @param {FileResult} file @returns {boolean} whether it failed before any test of it was known: a second run is for tests that were hindered, and no test was */
const failedToLoad = ({ status, assertionResults = [] }) => status === 'failed' && assertionResults.length === 0

/** @param {Report | undefined} report @returns {string[]} the paths of the files in which tests failed, or what prepares them */
export const failedFiles = (report) =>
  (report?.testResults ?? []).filter((file) => file.status === 'failed' && !failedToLoad(file)).flatMap(({ name }) => (name === undefined ? [] : [name]))

/** So much of what a failed test said is repeated at the end of a run, and of so many. */
const reasonLength = 600
const mostTold = 20

/** @param {Report | undefined} report @returns {string[]} a note for each test that failed, up to some: its file, its name and the beginning of its reason, without colours */
export function failedTests(report) {
  const notes = (report?.testResults ?? []).flatMap(({ name = 'a test file', assertionResults = [] }) => assertionResults.filter(({ status }) => status === 'failed').map((test) => {
    const reason = stripVTControlCharacters(test.failureMessages?.[0] ?? '').trim().slice(0, reasonLength)
    return `Failed: ${relative(process.cwd(), name)}: ${test.fullName ?? 'a test'}${reason === '' ? '' : `\n    ${reason.replaceAll('\n', '\n    ')}`}`
  }))
  return notes.length <= mostTold ? notes : [...notes.slice(0, mostTold), `${notes.length - mostTold} more failed, see above.`]
}

/**
 * What a second run of some files by themselves makes of a first one: their results take the place of those they had. What failed outside every test in either run stays.
 * @param {Report} first
 * @param {Report | undefined} second
 * @returns {Report}
 */
export function withSecondRun(first, second) {
  const again = new Map((second?.testResults ?? []).map((file) => [file.name, file]))
  return {
    testResults: (first.testResults ?? []).map((file) => (failedToLoad(file) ? file : again.get(file.name) ?? file)),
    unhandledErrors: [...(first.unhandledErrors ?? []), ...(second?.unhandledErrors ?? [])],
  }
}

/**
 * Counts a report. A file that could not be loaded, an error outside every test, a run without a test and a
 * run without a report each count as a failure: none of them may pass for success. The notes tell of every failure, since the end of a long run may be all that somebody sees of it.
 * @param {Report | undefined} report
 * @param {number} exitCode of vitest
 * @returns {{ tally: Tally, notes: string[] }}
 */
export function tallyOfReport(report, exitCode) {
  if (!report?.testResults) return { tally: { passed: 0, failed: 1, skipped: 0 }, notes: [`vitest ended with exit code ${exitCode} and left no report.`] }
  /** @type {string[]} */
  const notes = failedTests(report)
  let tally = nothing
  for (const file of report.testResults) {
    const statuses = (file.assertionResults ?? []).map((test) => test.status)
    const passed = statuses.filter((status) => status === 'passed').length
    const failed = statuses.filter((status) => status === 'failed').length
    tally = plus(tally, { passed, failed, skipped: statuses.length - passed - failed })
    if (file.status === 'failed' && failed === 0) {
      tally = plus(tally, { ...nothing, failed: 1 })
      notes.push(`${file.name ?? 'A test file'} failed outside its tests${file.message ? `: ${file.message}` : '.'}`)
    }
  }
  for (const error of report.unhandledErrors ?? []) {
    tally = plus(tally, { ...nothing, failed: 1 })
    notes.push(`An error outside every test: ${error}`)
  }
  if (tally.passed + tally.failed + tally.skipped === 0) {
    tally = { ...nothing, failed: 1 }
    notes.push('No tests were found.')
  } else if (exitCode !== 0 && tally.failed === 0) {
    tally = plus(tally, { ...nothing, failed: 1 })
    notes.push(`vitest ended with exit code ${exitCode} although no test failed: an error outside every test, see above.`)
  }
  return { tally, notes }
}
