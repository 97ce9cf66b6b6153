import type { HardwareProperty } from '@shared/model'
import { type Change, isDeviceList, patternOf } from './hardware-edits'
import { valueInWords } from './property-values'

/** Both values of what was changed in two places: here, and elsewhere meanwhile. @param change from what is stored to what is edited */
export function conflictWords({ path, before, after }: Change, properties: readonly HardwareProperty[]): { mine: string; theirs: string } {
  if (isDeviceList(path)) return { mine: 'my order', theirs: 'their order' }
  const [list, id, ...inner] = path.split('.')
  if (list !== undefined && id !== undefined && inner.length === 0 && isDeviceList(list)) return { mine: deviceInWords(after), theirs: deviceInWords(before) }
  const pattern = patternOf(path)
  const property = properties.find((each) => each.path === pattern) ?? { choices: [], unit: null, kind: 'text' as const }
  return { mine: valueInWords(after, property), theirs: valueInWords(before, property) }
}

function deviceInWords(device: unknown): string {
  return device === undefined ? 'taken out' : 'the device as it is there'
}
