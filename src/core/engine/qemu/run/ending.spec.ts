import { expect, test } from 'vitest'
import type { ProcessFailure } from '@shared/errors'
import { judgeEnding, type EndingFacts } from './ending'

const failure: ProcessFailure = { command: 'qemu', argv: [], exitCode: 0, signal: null, stderrTail: '' }
const facts: EndingFacts = { cause: null, asked: false, pidFileLeft: false, failure }
const unseen = { ...failure, exitCode: null }
const killed = { ...failure, exitCode: null, signal: 'SIGKILL' }

test.each<[string, Partial<EndingFacts>, boolean]>([
  ['a guest that shut down', { cause: 'guest-shutdown' }, true],
  ['a guest that shut down, nobody there for the exit', { cause: 'guest-shutdown', failure: unseen }, true],
  ['a signal from outside', { cause: 'host-signal' }, true],
  ['a guest that panicked', { cause: 'guest-panic' }, false],
  ['killed', { failure: killed, pidFileLeft: true }, false],
  ['killed while it shut down', { cause: 'guest-shutdown', failure: killed, pidFileLeft: true }, false],
  ['killed by us', { asked: true, failure: killed, pidFileLeft: true }, true],
  ['an abort', { failure: { ...failure, exitCode: null, signal: 'SIGABRT' }, pidFileLeft: true }, false],
  ['an exit code', { failure: { ...failure, exitCode: 1 } }, false],
  ['unseen, pid file removed', { failure: unseen }, true],
  ['unseen, pid file left', { failure: unseen, pidFileLeft: true }, false],
])('%s', (_name, changes, clean) => {
  const ending = judgeEnding({ ...facts, ...changes })
  expect(ending.clean).toBe(clean)
  expect(ending.reason).toMatch(/^[A-Z].*\.$/u)
})
