/** A mark under a slider: what a value means. */
export interface LimitTick {
  value: number
  label: string
  tone: 'plain' | 'good' | 'warning'
}

/** Values that a slider stops at: four to each doubling, so that a step is felt alike for small and large machines. Both ends are in. */
export function doublingStops(least: number, most: number): number[] {
  const stops = new Set([least])
  const first = 2 ** Math.floor(Math.log2(Math.max(1, least)))
  for (let base = first; base <= most; base *= 2) {
    for (const quarter of [0, 1, 2, 3]) {
      const value = base + Math.floor((base * quarter) / 4)
      if (value > least && value < most) stops.add(value)
    }
  }
  stops.add(Math.max(least, most))
  return [...stops]
}

/** The stop nearest to a value, as its index. */
export function nearestStop(stops: readonly number[], value: number): number {
  let nearest = 0
  stops.forEach((stop, index) => {
    if (Math.abs(stop - value) < Math.abs((stops[nearest] ?? 0) - value)) nearest = index
  })
  return nearest
}

/** Where a value lies between the ends, 0..1, between two stops in proportion. */
export function fractionOf(stops: readonly number[], value: number): number {
  const last = stops.length - 1
  if (last < 1) return 0
  const above = stops.findIndex((stop) => stop >= value)
  if (above === 0) return 0
  if (above === -1) return 1
  const low = stops[above - 1] ?? value
  const high = stops[above] ?? value
  return (above - 1 + (value - low) / (high - low)) / last
}

/** Rows for the labels of ticks, so that none lies over another. `width`: what a label takes, as a fraction of the track. */
export function tickRows(fractions: readonly number[], width: number): number[] {
  const ends: number[] = []
  const order = fractions.map((_, index) => index).sort((a, b) => (fractions[a] ?? 0) - (fractions[b] ?? 0))
  const rows: number[] = []
  for (const index of order) {
    const at = fractions[index] ?? 0
    const free = ends.findIndex((end) => at - end >= width)
    const row = free === -1 ? ends.length : free
    ends[row] = at
    rows[index] = row
  }
  return rows
}

const unitFactors: Readonly<Record<string, number>> = { k: 1 / 1024, m: 1, g: 1024, t: 1024 * 1024 }

/**
 * A typed amount as a number of the field's own unit: `4096`, `4 GiB` and `4g` are the same memory. NaN for what is no amount.
 * @param unit what a number alone means; null for a plain count
 */
export function parseAmount(text: string, unit: 'MiB' | 'GiB' | null): number {
  const match = /^\s*(\d+(?:[.,]\d+)?)\s*(?:([kmgt])(?:i?b)?)?\s*$/iu.exec(text)
  if (!match?.[1]) return Number.NaN
  const amount = Number(match[1].replace(',', '.'))
  const suffix = match[2]?.toLowerCase()
  if (suffix === undefined) return amount
  if (unit === null) return Number.NaN
  return (amount * (unitFactors[suffix] ?? Number.NaN)) / (unit === 'GiB' ? 1024 : 1)
}
