import { type Issue, schemaIssues } from '@shared/errors'
import { MachineHardware } from '@shared/model'
import { isDeviceList } from './hardware-edits'
import { lineOf, readJson } from './json-lines'

/** A fault of the definition as text, with the line on which it is mended. */
export interface TextFault { readonly line: number; readonly path: string; readonly message: string }

export function definitionText(hardware: MachineHardware): string {
  return `${JSON.stringify(hardware, null, 2)}\n`
}

/** Reads the definition as somebody wrote it: the hardware, or every fault by its line. Settings that no schema knows are faults too: they would be dropped without a word. */
export function readDefinition(text: string): { hardware: MachineHardware } | { faults: TextFault[] } {
  const reading = readJson(text)
  if ('fault' in reading) return { faults: [{ ...reading.fault, path: '' }] }
  const at = (path: string): number => lineOf(reading.lines, path)
  const parsed = MachineHardware.safeParse(reading.value)
  const faults = parsed.success ? [] : schemaIssues(parsed.error).map(({ path, message }) => ({ line: at(path.join('.')), path: path.join('.'), message }))
  // In what can't be read as a whole, only the outermost settings are known.
  const unknown = parsed.success ? unknownIn(reading.value, parsed.data) : isRecord(reading.value) ? Object.keys(reading.value).filter((key) => !Object.hasOwn(MachineHardware.shape, key)) : []
  for (const path of unknown) faults.push({ line: at(path), path, message: `There is no setting “${path.split('.').at(-1) ?? path}” here.` })
  return parsed.success && faults.length === 0 ? { hardware: parsed.data } : { faults: faults.sort((a, b) => a.line - b.line) }
}

/** What was found wrong with the hardware that a text can be read as, by its lines. Paths name devices by their ids. */
export function linesOfFaults(text: string, hardware: MachineHardware, faults: readonly Issue[]): (TextFault & Pick<Issue, 'severity'>)[] {
  const reading = readJson(text)
  if ('fault' in reading) return []
  return faults.map(({ path, message, severity }) => {
    const [list = '', id = '', ...rest] = path.split('.')
    const place = isDeviceList(list) ? hardware[list].findIndex((device) => device.id === id) : -1
    return { line: lineOf(reading.lines, place < 0 ? path : [list, String(place), ...rest].join('.')), path, message, severity }
  })
}

function unknownIn(written: unknown, known: unknown, path = ''): string[] {
  if (Array.isArray(written) && Array.isArray(known)) return written.flatMap((entry, index) => unknownIn(entry, known[index], path === '' ? String(index) : `${path}.${String(index)}`))
  if (!isRecord(written) || !isRecord(known)) return []
  return Object.keys(written).flatMap((key) => {
    const below = path === '' ? key : `${path}.${key}`
    return Object.hasOwn(known, key) ? unknownIn(written[key], known[key], below) : [below]
  })
}
function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
