import type { HardwareProperty, MachineHardware } from '@shared/model'
import { deviceLabel } from './device-tree'
import { deviceLists } from './hardware-edits'
import { knownAt } from './definition-schema'
import type { TextPlace } from './text-place'

/** Something that can be written at a place. */
export interface Offer {
  readonly label: string
  /** What is written: JSON. */
  readonly text: string
  /** Plain words beside it. */
  readonly detail: string
  /** One line of help. */
  readonly info: string
  /** Why it can’t be had here, a sentence; null: it can. */
  readonly obstacle: string | null
}

/** What is written, with what this computer knows of it. */
export interface Vocabulary {
  readonly properties: readonly HardwareProperty[]
  /** As it was read last, for the devices that it names. */
  readonly hardware: MachineHardware
}

/** The property that says most of a path: its own, or that of the part that it is in. */
export function propertyAt(path: readonly string[], properties: readonly HardwareProperty[]): HardwareProperty | null {
  const names = path.map((name) => (/^\d+$/u.test(name) ? '*' : name))
  for (let length = names.length; length > 0; length -= 1) {
    const found = properties.find((property) => property.path === names.slice(0, length).join('.'))
    if (found !== undefined) return found
  }
  return null
}

/** What a property is, in one line: words, QEMU’s term, help, limits, and what speaks against it. */
export function propertyInWords({ label, term, help, minimum, maximum, unit, obstacle }: HardwareProperty): { title: string; term: string; help: string; range: string; obstacle: string | null } {
  const of = unit === null ? '' : ` ${unit}`
  const range = minimum === null && maximum === null ? '' : maximum === null ? `At least ${String(minimum)}${of}.` : `${String(minimum ?? 0)} to ${String(maximum)}${of}.`
  return { title: label, term, help, range, obstacle }
}

/** Everything that may be written at a place, what can’t be had here with its reason and at the end. Pure. */
export function offersAt(place: TextPlace, vocabulary: Vocabulary): Offer[] {
  const offers = place.kind === 'key' ? keysAt(place, vocabulary) : valuesAt(place, vocabulary)
  return [...offers.filter(({ obstacle }) => obstacle === null), ...offers.filter(({ obstacle }) => obstacle !== null)]
}

function keysAt({ path, beside }: TextPlace, { properties }: Vocabulary): Offer[] {
  return knownAt(path).keys.filter((key) => !beside.includes(key)).map((key) => {
    const own = propertyAt([...path, key], properties)
    const isOwn = own?.path.split('.').length === path.length + 1
    return { label: key, text: JSON.stringify(key), detail: isOwn ? own.label : '', info: isOwn ? own.help : '', obstacle: null }
  })
}

function valuesAt({ path, beside }: TextPlace, { properties, hardware }: Vocabulary): Offer[] {
  if (path[0] === 'boot' && path[1] === 'order' && path.length === 3) return devicesBeside(hardware, beside)
  const property = propertyAt(path, properties)
  const isOwn = property?.path.split('.').length === path.length
  const known = knownAt(path).values
  const nothing = known.includes(null) ? [{ label: 'null', text: 'null', detail: 'None', info: '', obstacle: null }] : []
  if (isOwn && property.choices.length > 0) {
    return [...property.choices.map(({ value, label, obstacle }) => ({ label: value, text: JSON.stringify(value), detail: label, info: '', obstacle: property.obstacle ?? obstacle })), ...nothing]
  }
  return known.map((value) => ({
    label: String(value), text: JSON.stringify(value), detail: value === null ? 'None' : value === true ? 'On' : value === false ? 'Off' : '', info: '', obstacle: value !== true || !isOwn ? null : property.obstacle,
  }))
}

/** Devices that can be started from and are not in the order yet. */
function devicesBeside(hardware: MachineHardware, beside: readonly string[]): Offer[] {
  return deviceLists.filter((list) => list !== 'sharedFolders').flatMap((list) => hardware[list].filter(({ id }) => !beside.includes(id)).map(({ id }) => ({ label: id, text: JSON.stringify(id), detail: deviceLabel(hardware, list, id), info: '', obstacle: null })))
}
