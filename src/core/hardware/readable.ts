import type { Issue } from '@shared/errors'
import { MachineHardware } from '@shared/model'

type Plain = Record<string, unknown>

/** What of hardware can be read although not all of it can, so that everything that is wrong with it is told at once. */
export interface Readable {
  /** With what is stored in place of what can’t be read; devices that can’t be are left out. */
  readonly hardware: MachineHardware
  /** Faults of that hardware, by the paths of what somebody wrote; without those of what was put in place. */
  asWritten(issues: readonly Issue[]): Issue[]
}

/**
 * @param issues what the schema has against it
 * @returns null: hardly anything of it can be read
 */
export function readableOf(raw: unknown, issues: readonly Pick<Issue, 'path'>[], stored: MachineHardware): Readable | null {
  if (!isPlain(raw)) return null
  const faulty = new Map<string, Set<number> | null>()
  for (const { path } of issues) {
    const [key = '', place = ''] = path.split('.')
    const known = faulty.get(key)
    if (known === null) continue
    if (!isDevices(raw[key]) || !/^\d+$/u.test(place)) faulty.set(key, null)
    else faulty.set(key, (known ?? new Set()).add(Number(place)))
  }
  const kept = new Map<string, number[]>()
  const patched: Plain = { ...stored, ...raw }
  for (const [key, places] of faulty) {
    const written = raw[key]
    if (places === null || !isDevices(written)) {
      patched[key] = (stored as Plain)[key]
      continue
    }
    const left = written.flatMap((_, place) => (places.has(place) ? [] : [place]))
    kept.set(key, left)
    patched[key] = left.map((place) => written[place])
  }
  const parsed = MachineHardware.safeParse(patched)
  if (!parsed.success) return null
  const asWritten = (found: readonly Issue[]): Issue[] => found.flatMap((issue): Issue[] => {
    const [key = '', place = '', ...rest] = issue.path.split('.')
    if (faulty.get(key) === null) return []
    const places = kept.get(key)
    return places === undefined || !/^\d+$/u.test(place) ? [issue] : [{ ...issue, path: [key, String(places[Number(place)] ?? place), ...rest].join('.') }]
  })
  return { hardware: parsed.data, asWritten }
}

function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isDevices(value: unknown): value is Plain[] {
  return Array.isArray(value) && value.every(isPlain)
}
