import { describe, expect, test } from 'vitest'
import { isDue } from '../schedule'
import { automaticName, isAutomaticName } from './automatic-name'
import { type Retainable, prunable } from './retention'

const zone = 'Europe/Berlin'
const none = { hourly: 0, daily: 0, weekly: 0 }
/** Far behind all others. */
const later = new Date('2030-01-01T00:00:00Z')

type Sample = Retainable & { id: string }

function automatic(takenAt: string, more: Partial<Sample> = {}): Sample {
  return { id: takenAt, kind: 'automatic', name: automaticName(new Date(takenAt), [], zone), description: '', takenAt, clones: [], ...more }
}

/** Every so many minutes from an instant on. */
function series(from: string, stepMinutes: number, count: number): Sample[] {
  return Array.from({ length: count }, (_, index) => automatic(new Date(Date.parse(from) + index * stepMinutes * 60_000).toISOString()))
}

function remaining(snapshots: readonly Sample[], keep: Partial<typeof none>, now = later): string[] {
  const pruned = new Set(prunable(snapshots, { ...none, ...keep }, now, zone))
  return snapshots.filter((snapshot) => !pruned.has(snapshot)).map(({ id }) => id)
}

describe('which automatic snapshots stay', () => {
  test('the newest of each of the last hours', () => {
    const snapshots = series('2026-06-01T10:00:00.000Z', 20, 9)
    expect(remaining(snapshots, { hourly: 2 })).toEqual(['2026-06-01T11:40:00.000Z', '2026-06-01T12:40:00.000Z'])
  })

  test('what goes is told oldest first, however they came', () => {
    const snapshots = series('2026-06-01T10:00:00.000Z', 20, 4)
    const shuffled = [snapshots[2], snapshots[0], snapshots[3], snapshots[1]].filter((snapshot) => snapshot !== undefined)
    expect(prunable(shuffled, { ...none, hourly: 1 }, later, zone).map(({ id }) => id)).toEqual([
      '2026-06-01T10:00:00.000Z', '2026-06-01T10:20:00.000Z', '2026-06-01T10:40:00.000Z',
    ])
  })

  test('hours, days and weeks each keep theirs, and one snapshot may stand for several', () => {
    // Every hour from Monday, 1 June, for three weeks.
    const snapshots = series('2026-06-01T00:30:00.000Z', 60, 21 * 24)
    const left = remaining(snapshots, { hourly: 3, daily: 3, weekly: 3 })
    expect(left).toEqual([
      // In Berlin: the end of a Sunday, for its week; that of a Saturday, for its day; that of a Sunday, for its day, week and hour.
      '2026-06-14T21:30:00.000Z', '2026-06-20T21:30:00.000Z', '2026-06-21T21:30:00.000Z',
      // The first two hours of the Monday after.
      '2026-06-21T22:30:00.000Z', '2026-06-21T23:30:00.000Z',
    ])
  })

  test('days are those of the place: two instants of one UTC day are in two days, and the other way round', () => {
    // 23:30 and 00:30 in Berlin.
    expect(remaining([automatic('2026-06-01T21:30:00.000Z'), automatic('2026-06-01T22:30:00.000Z')], { daily: 2 })).toHaveLength(2)
    expect(remaining([automatic('2026-06-01T22:30:00.000Z'), automatic('2026-06-02T21:30:00.000Z')], { daily: 2 })).toEqual(['2026-06-02T21:30:00.000Z'])
  })

  test('weeks begin on Monday, also over the turn of a year', () => {
    // Sunday and Monday around New Year 2027, which is a Friday; and Thursday to Sunday of one week in two years.
    expect(remaining([automatic('2027-01-03T12:00:00.000Z'), automatic('2027-01-04T12:00:00.000Z')], { weekly: 5 })).toHaveLength(2)
    expect(remaining([automatic('2026-12-31T12:00:00.000Z'), automatic('2027-01-03T12:00:00.000Z')], { weekly: 5 })).toEqual(['2027-01-03T12:00:00.000Z'])
  })

  test('the hour that the clock repeats in autumn is two hours', () => {
    // 02:30 summer time and 02:30 winter time, 25 October 2026.
    const snapshots = [automatic('2026-10-25T00:30:00.000Z'), automatic('2026-10-25T01:30:00.000Z'), automatic('2026-10-25T02:30:00.000Z')]
    expect(remaining(snapshots, { hourly: 3 })).toHaveLength(3)
    expect(remaining(snapshots, { daily: 3 })).toEqual(['2026-10-25T02:30:00.000Z'])
  })

  test('the night without an hour in spring is one night like any other', () => {
    const snapshots = series('2026-03-28T23:30:00.000Z', 60, 4)
    expect(remaining(snapshots, { hourly: 10 })).toHaveLength(4)
    expect(remaining(snapshots, { daily: 10 })).toHaveLength(1)
  })

  test('gaps are not counted: after a year of rest the old ones are still there', () => {
    const snapshots = [...series('2025-01-01T10:00:00.000Z', 60, 3), automatic('2026-06-01T10:00:00.000Z')]
    expect(remaining(snapshots, { hourly: 4 })).toHaveLength(4)
    expect(remaining(snapshots, { daily: 2 })).toEqual(['2025-01-01T12:00:00.000Z', '2026-06-01T10:00:00.000Z'])
  })

  test('the newest of all stays whatever the policy', () => {
    const snapshots = series('2026-06-01T10:00:00.000Z', 1, 5)
    for (const keep of [{ hourly: 1 }, { daily: 1 }, { weekly: 1 }]) expect(remaining(snapshots, keep)).toEqual(['2026-06-01T10:04:00.000Z'])
  })

  test('one from the future neither goes nor pushes out the present ones', () => {
    const snapshots = [automatic('2026-06-01T10:00:00.000Z'), automatic('2026-06-01T11:00:00.000Z'), automatic('2099-01-01T00:00:00.000Z')]
    expect(remaining(snapshots, { hourly: 1 }, new Date('2026-06-01T11:00:00.000Z'))).toEqual(['2026-06-01T11:00:00.000Z', '2099-01-01T00:00:00.000Z'])
  })

  test('what a person took, named or described stays, and so does what clones stand on', () => {
    const mine = [
      automatic('2026-06-01T10:00:00.000Z', { kind: 'manual' }),
      automatic('2026-06-01T10:01:00.000Z', { kind: 'base' }),
      automatic('2026-06-01T10:02:00.000Z', { name: 'before the upgrade' }),
      automatic('2026-06-01T10:03:00.000Z', { description: 'worked' }),
      automatic('2026-06-01T10:04:00.000Z', { clones: [{}] }),
    ]
    const theirs = [automatic('2026-06-01T10:05:00.000Z'), automatic('2026-06-01T10:06:00.000Z')]
    expect(remaining([...mine, ...theirs], { hourly: 1 })).toEqual([...mine.map(({ id }) => id), '2026-06-01T10:06:00.000Z'])
    // A renamed one is not the one that stays of its hour.
    expect(remaining([...theirs, automatic('2026-06-01T10:07:00.000Z', { name: 'mine' })], { hourly: 1 })).toEqual(['2026-06-01T10:06:00.000Z', '2026-06-01T10:07:00.000Z'])
  })

  test('nothing to keep or to prune', () => {
    expect(prunable([], { hourly: 1, daily: 1, weekly: 1 }, later, zone)).toEqual([])
  })
})

describe('when one is due', () => {
  const at = (text: string): Date => new Date(text)

  test('at once when there was none', () => {
    for (const every of ['hour', 'day', 'week'] as const) expect(isDue(every, [], later, zone)).toBe(true)
  })

  test('once in every hour, day and week of the place', () => {
    const before = [at('2026-06-01T21:59:00Z')]
    expect(isDue('hour', before, at('2026-06-01T21:59:59Z'), zone)).toBe(false)
    expect(isDue('hour', before, at('2026-06-01T22:00:00Z'), zone)).toBe(true)
    // Midnight in Berlin.
    expect(isDue('day', before, at('2026-06-01T21:59:59Z'), zone)).toBe(false)
    expect(isDue('day', before, at('2026-06-01T22:00:00Z'), zone)).toBe(true)
    expect(isDue('week', before, at('2026-06-07T21:59:59Z'), zone)).toBe(false)
    expect(isDue('week', before, at('2026-06-07T22:00:00Z'), zone)).toBe(true)
  })

  test('any earlier look counts, not only the last', () => {
    expect(isDue('day', [at('2026-06-02T08:00:00Z'), at('2026-05-01T08:00:00Z')], at('2026-06-02T12:00:00Z'), zone)).toBe(false)
  })

  test('a clock that was set back delays nothing', () => {
    expect(isDue('day', [at('2027-06-01T08:00:00Z')], at('2026-06-01T08:00:00Z'), zone)).toBe(true)
  })

  test('both hours of the night in autumn', () => {
    expect(isDue('hour', [at('2026-10-25T00:30:00Z')], at('2026-10-25T01:30:00Z'), zone)).toBe(true)
  })

  test('works in the computer’s own zone too', () => {
    expect(isDue('day', [new Date(2026, 5, 1, 0, 0)], new Date(2026, 5, 1, 23, 59))).toBe(false)
    expect(isDue('day', [new Date(2026, 5, 1, 23, 59)], new Date(2026, 5, 2, 0, 0))).toBe(true)
  })
})

describe('the name of an automatic snapshot', () => {
  test('is the minute of the place, and is known again', () => {
    const name = automaticName(new Date('2026-06-01T22:05:30Z'), [], zone)
    expect(name).toBe('Automatic 2026-06-02 00:05')
    expect(isAutomaticName(name)).toBe(true)
    expect(isAutomaticName('Automatic')).toBe(false)
    expect(isAutomaticName('Automatic 2026-06-02 00:05, before the upgrade')).toBe(false)
  })

  test('never clashes', () => {
    // The same minute of the wall clock, an hour apart.
    const first = automaticName(new Date('2026-10-25T00:30:00Z'), [], zone)
    const second = automaticName(new Date('2026-10-25T01:30:00Z'), [first.toUpperCase()], zone)
    expect([first, second]).toEqual(['Automatic 2026-10-25 02:30', 'Automatic 2026-10-25 02:30 (2)'])
    expect(automaticName(new Date('2026-10-25T01:30:00Z'), [first, second], zone)).toBe('Automatic 2026-10-25 02:30 (3)')
    expect(isAutomaticName(second)).toBe(true)
  })
})
