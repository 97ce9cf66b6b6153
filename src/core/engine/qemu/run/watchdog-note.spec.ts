import { expect, test } from 'vitest'
import { watchdogNote } from './watchdog-note'

test('every end of a watchdog is told in words, and a pause only once', () => {
  for (const action of ['reset', 'shutdown', 'poweroff', 'inject-nmi', 'none', 'debug', 'toString']) expect(watchdogNote(action)).toMatch(/^The guest’s watchdog ran out.*: [a-zA-Z].*\.$/u)
  expect(watchdogNote('pause')).toBeNull()
})
