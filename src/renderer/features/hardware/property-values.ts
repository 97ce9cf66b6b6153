import { type DiskLimits, Firmware, type HardwareProperty } from '@shared/model'
import { formatMiB, formatRate } from '../../lib/format'
import { patternOf, type WholePart } from './hardware-edits'

/** Settings that may be left empty: nothing is what they are then. */
const optional: ReadonlySet<string> = new Set(['disks.*.serial', 'processors.maximum', 'processors.limitPercent', 'memory.maximumMiB', 'memory.targetMiB', 'sound', 'watchdog', 'vsock', 'tpm', 'tpm.version', 'sound.model', 'watchdog.model', 'vsock.cid', 'display.resolution', 'boot.kernel', 'disks.*.limits', 'disks.*.slot', 'nics.*.slot'])
/** Parts that are there as a whole or not at all: leaving the setting empty takes the part out. */
const partWithout: Readonly<Record<string, WholePart>> = { 'sound.model': 'sound', 'watchdog.model': 'watchdog', 'vsock.cid': 'vsock', 'tpm.version': 'tpm' }

export function isOptional(path: string): boolean {
  return optional.has(patternOf(path))
}
/** Where an empty setting is stored as nothing. */
export function emptiedPath(path: string): string {
  return partWithout[patternOf(path)] ?? path
}

/** A value as its field reads it out. */
export function valueInWords(value: unknown, property: Pick<HardwareProperty, 'choices' | 'unit' | 'kind'>): string {
  if (value === undefined || value === null || value === '') return 'None'
  if (typeof value === 'boolean') return value ? 'On' : 'Off'
  if (typeof value === 'number') return property.unit === 'MiB' && value > 0 ? formatMiB(value) : `${String(value)}${property.unit === null ? '' : ` ${property.unit}`}`
  if (typeof value === 'string') return property.choices.find((choice) => choice.value === value)?.label ?? value
  if (Array.isArray(value)) return value.length === 0 ? 'None' : value.map((entry) => (typeof entry === 'string' ? entry : JSON.stringify(entry))).join(', ')
  return partInWords(value)
}

/** A part with several settings, as short as it can be told. */
function partInWords(part: Partial<{ path: string; width: number; height: number; kernel: { path: string }; type: string }> & Partial<DiskLimits>): string {
  if (part.path !== undefined) return part.path
  if (part.kernel !== undefined) return part.kernel.path === '' ? 'A kernel' : part.kernel.path
  if (part.width !== undefined && part.height !== undefined) return `${String(part.width)} × ${String(part.height)}`
  const limits = ([['', 'bytesPerSecond'], ['reading ', 'bytesReadPerSecond'], ['writing ', 'bytesWrittenPerSecond']] as const).flatMap(([how, key]) => ((part[key] ?? 0) > 0 ? [`${how}${formatRate(part[key] ?? 0)}`] : []))
  const requests = ([['', 'requestsPerSecond'], ['reading ', 'readsPerSecond'], ['writing ', 'writesPerSecond']] as const).flatMap(([how, key]) => ((part[key] ?? 0) > 0 ? [`${how}${String(part[key])} IO/s`] : []))
  return [...limits, ...requests].join(', ') || (part.type ?? 'Set')
}

/** The text of a list, one entry a line, and back. */
export function linesOf(value: unknown): string {
  return Array.isArray(value) ? value.map(String).join('\n') : ''
}
export function fromLines(text: string): string[] {
  return text.split('\n').map((line) => line.trim()).filter((line) => line !== '')
}

/** A firmware of a kind, with all that belongs to it. */
export function firmwareOf(type: unknown): Firmware {
  return Firmware.parse({ type })
}
