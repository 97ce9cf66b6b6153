/** The hour, the day and the week that an instant lies in. Equal text means the same one; the text says nothing else. */
export interface Periods {
  readonly hour: string
  readonly day: string
  readonly week: string
}

const dayMs = 86_400_000
/** 1 January 1970 was a Thursday, the fourth day of a week that begins on Monday (ISO 8601). */
const epochWeekday = 3

/**
 * Tells the periods of instants by the clock on the wall. Days of 23 and 25 hours are one day each. The hour that a change of the clock
 * repeats counts as two: they are told apart by their distance from UTC.
 * @param timeZone IANA name; absent: the computer's
 */
export function localPeriods(timeZone?: string): (instant: Date) => Periods {
  const format = new Intl.DateTimeFormat('en-US', {
    calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric', hour: '2-digit', timeZoneName: 'longOffset',
    ...(timeZone === undefined ? {} : { timeZone }),
  })
  return (instant) => {
    const parts = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, value]))
    const dayNumber = Date.UTC(Number(parts['year']), Number(parts['month']) - 1, Number(parts['day'])) / dayMs
    const day = String(dayNumber)
    return {
      hour: `${day} ${parts['hour'] ?? ''} ${parts['timeZoneName'] ?? ''}`,
      day,
      week: String(Math.floor((dayNumber + epochWeekday) / 7)),
    }
  }
}
