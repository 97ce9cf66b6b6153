const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
const decimalUnits = ['B/s', 'kB/s', 'MB/s', 'GB/s', 'TB/s']

/** Figures of at most three digits: 1.24, 12.4, 124. */
function threeDigits(value: number): string {
  return value.toFixed(value >= 100 || Number.isInteger(value) ? 0 : value >= 10 ? 1 : 2)
}

/** Bytes in binary units: `1.50 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < binaryUnits.length - 1) { value /= 1024; unit += 1 }
  return `${threeDigits(value)} ${binaryUnits[unit] ?? 'B'}`
}

/** MiB in the unit that reads best: `512 MiB`, `4 GiB`. */
export function formatMiB(mebibytes: number): string {
  return formatBytes(mebibytes * 1024 * 1024)
}

/** Bytes per second in decimal units, as networks and disks are told: `1.25 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  let value = bytesPerSecond
  let unit = 0
  while (value >= 1000 && unit < decimalUnits.length - 1) { value /= 1000; unit += 1 }
  return `${unit === 0 ? value.toFixed(0) : threeDigits(value)} ${decimalUnits[unit] ?? 'B/s'}`
}

/** A fraction as per cent: `7 %`, below ten with one decimal where it says something. */
export function formatPercent(fraction: number): string {
  const percent = fraction * 100
  return `${percent > 0 && percent < 9.95 ? percent.toFixed(1) : percent.toFixed(0)} %`
}

/** A stretch of time in its two largest units: `45 s`, `2 h 5 min`, `3 d`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  if (seconds < 60) return `${String(seconds)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${String(minutes)} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return minutes % 60 === 0 ? `${String(hours)} h` : `${String(hours)} h ${String(minutes % 60)} min`
  const days = Math.floor(hours / 24)
  return hours % 24 === 0 || days > 6 ? `${String(days)} d` : `${String(days)} d ${String(hours % 24)} h`
}

/** A moment as the person's own system writes it, with seconds. */
export function formatMoment(iso: string): string {
  const at = new Date(iso)
  return Number.isNaN(at.getTime()) ? iso : at.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
}

/** How long ago, for people: `just now`, `5 min ago`. */
export function formatAgo(iso: string, now: number): string {
  const at = new Date(iso).getTime()
  if (Number.isNaN(at)) return iso
  return now - at < 5_000 ? 'just now' : `${formatDuration(now - at)} ago`
}

/** `1 machine`, `2 machines`. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString()} ${count === 1 ? one : many}`
}
