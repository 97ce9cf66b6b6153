import { boardsByProperties, hasByProperties, type HardwareProperty, type MachineHardware, type OsEntry, type Suggestion, suggestionsFor } from '@shared/model'
import { deviceLabel } from './device-tree'
import { isDeviceList, patternOf, valueAt } from './hardware-edits'
import { valueInWords } from './property-values'

/** A suggestion as people read it. */
export interface ShownSuggestion extends Suggestion {
  /** `Disk 1: Bus` */
  readonly label: string
  readonly now: string
  readonly then: string
}

/** Settings whose suggestion is of the part that they belong to. */
const parts: Readonly<Record<string, string>> = { firmware: 'firmware.type', sound: 'sound.model' }

/** The path of the field that shows what a suggestion is about. */
export function fieldOf(path: string): string {
  return parts[path] ?? path
}

/** What would suit a system better, in words. Pure. */
export function shownSuggestions(os: OsEntry, hardware: MachineHardware, properties: readonly HardwareProperty[]): ShownSuggestion[] {
  return suggestionsFor(os, hardware, hasByProperties(properties), boardsByProperties(properties)).map((suggestion) => {
    const field = fieldOf(suggestion.path)
    const property = properties.find(({ path }) => path === patternOf(field))
    const [list = '', id = ''] = field.split('.')
    const device = isDeviceList(list) ? `${deviceLabel(hardware, list, id)}: ` : ''
    const shape = property ?? { choices: [], unit: null, kind: 'text' as const }
    return {
      ...suggestion, label: `${device}${property?.label ?? field}`, now: valueInWords(valueAt(hardware, field), shape),
      then: valueInWords(fieldOf(suggestion.path) === suggestion.path ? suggestion.value : (suggestion.value as Record<string, unknown>)[field.split('.')[1] ?? ''], shape),
    }
  })
}

/** Those that are said unasked, by their fields: without them the system that the machine is for does something wrong. */
export function neededByField(os: OsEntry | null, hardware: MachineHardware, properties: readonly HardwareProperty[]): ReadonlyMap<string, ShownSuggestion> {
  return new Map(os === null ? [] : shownSuggestions(os, hardware, properties).filter(({ isNeeded }) => isNeeded).map((each) => [fieldOf(each.path), each]))
}
