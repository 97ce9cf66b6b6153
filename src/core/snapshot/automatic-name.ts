import { sameName } from '../library'

const generated = /^Automatic \d{4}-\d{2}-\d{2} \d{2}:\d{2}(?: \(\d+\))?$/u

/**
 * The name of an automatic snapshot: the minute on the clock on the wall, and a number where that is taken, as in an hour that a change of
 * the clock repeats.
 * @param taken names of the machine's snapshots
 * @param timeZone IANA name; absent: the computer's
 */
export function automaticName(at: Date, taken: readonly string[], timeZone?: string): string {
  const format = new Intl.DateTimeFormat('en-US', {
    calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit',
    ...(timeZone === undefined ? {} : { timeZone }),
  })
  const { year = '', month = '', day = '', hour = '', minute = '' } = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value])) as Partial<Record<Intl.DateTimeFormatPartTypes, string>>
  const base = `Automatic ${year.padStart(4, '0')}-${month}-${day} ${hour}:${minute}`
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base} (${String(number)})`
    if (!taken.some((other) => sameName(other, name))) return name
  }
}

/** Whether a snapshot still has the name that it was given by itself. */
export function isAutomaticName(name: string): boolean {
  return generated.test(name)
}
