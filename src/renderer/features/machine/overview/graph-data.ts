import type { MetricsSample } from '@shared/model'

/** One line of a graph. */
export interface GraphLine {
  label: string
  /** Name of a custom property of the theme that holds its colour. */
  color: string
  read: (sample: MetricsSample) => number | null
  /** Why the figure may be missing, a sentence. */
  whyUnknown: string
}

/** Columns as uPlot wants them: seconds first, then one column for each line. */
export type GraphColumns = [number[], ...(number | null)[][]]

/** A stretch without readings longer than this is a gap, not a slope. */
const gapMs = 4_000

/** Readings as columns. A gap between two readings becomes a hole in every line. */
export function columnsOf(samples: readonly MetricsSample[], lines: readonly Pick<GraphLine, 'read'>[]): GraphColumns {
  const times: number[] = []
  const values: (number | null)[][] = lines.map(() => [])
  let before = -Infinity
  for (const sample of samples) {
    if (sample.at - before > gapMs && times.length > 0) {
      times.push((before + 1) / 1000)
      for (const column of values) column.push(null)
    }
    times.push(sample.at / 1000)
    lines.forEach((line, index) => values[index]?.push(line.read(sample)))
    before = sample.at
  }
  return [times, ...values]
}

/** Whether not one reading has a figure for the line: then it is unknown rather than idle. */
export function isUnknown(samples: readonly MetricsSample[], line: Pick<GraphLine, 'read'>): boolean {
  return samples.length > 0 && samples.every((sample) => line.read(sample) === null)
}

/** What the time axis shows, in seconds: two minutes at the least, ten at the most, growing with what there is. */
export function timeWindow(samples: readonly MetricsSample[], nowMs: number): [number, number] {
  const end = (samples.at(-1)?.at ?? nowMs) / 1000
  const age = end - (samples[0]?.at ?? nowMs) / 1000
  return [end - Math.min(600, Math.max(120, age)), end]
}

/** Seconds between the lines of the time axis: a handful of them in any window. */
export function timeStep(windowSeconds: number): number {
  return windowSeconds <= 150 ? 30 : windowSeconds <= 330 ? 60 : 120
}

/** How long before the newest reading: `30 s`, `2 min`. Told so, the axis stands still while the figures move. */
export function agoLabel(seconds: number): string {
  return seconds < 60 ? `−${String(seconds)} s` : `−${String(seconds / 60)} min`
}

/** Top of a scale of memory: the next of 1, 1.5, 2, 3 times a power of two, so that its half is a round figure too. */
export function niceBinaryTop(highest: number): number {
  const power = 2 ** Math.floor(Math.log2(Math.max(1, highest)))
  return highest <= power ? power : highest <= power * 1.5 ? power * 1.5 : power * 2
}

/** Top of a scale that leaves room above the highest value and does not twitch: the next of 1, 2, 4, 6, 8, 10 times a power of ten. */
export function niceTop(highest: number, least: number): number {
  const wanted = Math.max(least, highest * 1.08)
  const power = 10 ** Math.floor(Math.log10(wanted))
  const factor = [1, 2, 4, 6, 8, 10].find((step) => step * power >= wanted) ?? 10
  return factor * power
}
