import { MachineHardware, type MachineView } from '@shared/model'

/** Lists whose entries are told apart by their ids, so that one that moves stays the same. */
export const deviceLists = ['disks', 'cdroms', 'nics', 'usbDevices', 'sharedFolders', 'pciDevices'] as const
export type DeviceList = (typeof deviceLists)[number]

/** One difference between two forms of the hardware. Paths are dotted, and name devices by their ids: `disks.disk0.bus`. */
export interface Change {
  readonly path: string
  /** undefined: it was not there. For a list of devices as such: their ids, in their order. */
  readonly before: unknown
  /** undefined: it is gone. */
  readonly after: unknown
}

type Plain = Readonly<Record<string, unknown>>

export function isDeviceList(path: string): path is DeviceList {
  return (deviceLists as readonly string[]).includes(path)
}
function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
function idOf(entry: unknown): string {
  return isPlain(entry) && typeof entry['id'] === 'string' ? entry['id'] : ''
}

/** Whether two values of a definition are the same. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((each, index) => isSame(each, b[index]))
  if (!isPlain(a) || !isPlain(b)) return false
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => isSame(a[key], b[key]))
}

/** What is at a path; undefined where there is nothing. */
export function valueAt(hardware: MachineHardware, path: string): unknown {
  let value: unknown = hardware
  for (const key of path.split('.')) {
    if (Array.isArray(value)) value = value.find((entry) => idOf(entry) === key)
    else if (isPlain(value)) value = value[key]
    else return undefined
  }
  return value
}

/** What a part that is absent begins with when something in it is set. `*` stands for a device. */
const blanks: Readonly<Record<string, Plain>> = {
  sound: { model: 'intel-hda' },
  // Its state gets a place of its own when it is put in.
  tpm: { version: '2.0', model: 'tpm-crb', state: 'tpm/new' },
  watchdog: { model: 'i6300esb', action: 'reset' },
  vsock: { cid: 3, slot: null },
  'display.resolution': { width: 1280, height: 800 },
  'boot.kernel': { kernel: { kind: 'external', path: '' }, initrd: null, commandLine: '' },
  'boot.kernel.initrd': { kind: 'external', path: '' },
  'disks.*.limits': { bytesPerSecond: 0, bytesReadPerSecond: 0, bytesWrittenPerSecond: 0, requestsPerSecond: 0, readsPerSecond: 0, writesPerSecond: 0 },
  'cdroms.*.image': { kind: 'external', path: '' },
}

/** Parts of which a machine has one or none. */
export const wholeParts = ['sound', 'tpm', 'watchdog', 'vsock'] as const
export type WholePart = (typeof wholeParts)[number]

export function isWholePart(text: string): text is WholePart {
  return (wholeParts as readonly string[]).includes(text)
}

/** The hardware with such a part as it begins. */
export function withPart(hardware: MachineHardware, part: WholePart): MachineHardware {
  return withValue(hardware, part, blanks[part])
}

/** A path with `*` for the device, as properties name it. */
export function patternOf(path: string): string {
  const [list, id, ...rest] = path.split('.')
  return list !== undefined && id !== undefined && isDeviceList(list) ? [list, '*', ...rest].join('.') : path
}

/** The hardware with another value at a path; `undefined` takes a device out, a device that is not there yet is added. */
export function withValue(hardware: MachineHardware, path: string, value: unknown): MachineHardware {
  return set(hardware, path.split('.'), '', value) as MachineHardware
}

function set(at: unknown, keys: readonly string[], path: string, value: unknown): unknown {
  const [key, ...rest] = keys
  if (key === undefined) return value
  const below = path === '' ? key : `${path}.${key}`
  if (Array.isArray(at)) {
    if (!at.some((entry) => idOf(entry) === key)) return rest.length === 0 && value !== undefined ? [...(at as unknown[]), value] : at
    return at.map((entry: unknown) => (idOf(entry) === key ? set(entry, rest, below, value) : entry)).filter((entry) => entry !== undefined)
  }
  const parent = isPlain(at) ? at : (blanks[patternOf(path)] ?? {})
  return { ...parent, [key]: set(parent[key], rest, below, value) }
}

/** A list of devices in another order; those that it does not name stay at the end. */
export function withOrder(hardware: MachineHardware, list: DeviceList, ids: readonly string[]): MachineHardware {
  const place = (entry: { id: string }): number => (ids.includes(entry.id) ? ids.indexOf(entry.id) : ids.length)
  return { ...hardware, [list]: [...hardware[list]].sort((a, b) => place(a) - place(b)) }
}

/** Everything that differs, in the order of the definition. */
export function changesOf(before: MachineHardware, after: MachineHardware): Change[] {
  const changes: Change[] = []
  compare('', before, after, changes)
  return changes
}

function compare(path: string, before: unknown, after: unknown, changes: Change[]): void {
  if (isSame(before, after)) return
  const below = (key: string): string => (path === '' ? key : `${path}.${key}`)
  if (isDeviceList(path) && Array.isArray(before) && Array.isArray(after)) {
    const [old, young] = [before.map(idOf), after.map(idOf)]
    for (const id of new Set([...old, ...young])) compare(below(id), before.find((entry) => idOf(entry) === id), after.find((entry) => idOf(entry) === id), changes)
    if (!isSame(old.filter((id) => young.includes(id)), young.filter((id) => old.includes(id)))) changes.push({ path, before: old, after: young })
  } else if (isPlain(before) && isPlain(after) && before['type'] === after['type'] && before['kind'] === after['kind']) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) compare(below(key), before[key], after[key], changes)
  } else changes.push({ path, before, after })
}

/** The same edits, made on another base: what led from `from` to `to`, done to `onto`. */
export function rebase(from: MachineHardware, to: MachineHardware, onto: MachineHardware): MachineHardware {
  if (isSame(from, onto)) return to
  return changesOf(from, to).reduce((hardware, { path, after }) => {
    if (isDeviceList(path)) return withOrder(hardware, path, after as string[])
    // What has been taken out meanwhile is not brought back by a change of something in it.
    const [list, id, ...inner] = path.split('.')
    if (list !== undefined && id !== undefined && inner.length > 0 && isDeviceList(list) && valueAt(hardware, `${list}.${id}`) === undefined) return hardware
    return withValue(hardware, path, after)
  }, onto)
}

/** The paths of edits that somebody else changed to something else meanwhile. @param from what both began with, `mine` what was edited, `theirs` what is stored now */
export function conflictsOf(from: MachineHardware, mine: MachineHardware, theirs: MachineHardware): string[] {
  const others = changesOf(from, theirs)
  return changesOf(from, mine).filter(({ path, after }) => {
    const other = others.find((each) => meets(each.path, path))
    return other !== undefined && !isSame(after, isDeviceList(path) ? other.after : valueAt(theirs, path))
  }).map(({ path }) => path)
}

/** Whether two paths are about the same: one lies in the other. That the order of devices is another is about that alone. */
export function meets(a: string, b: string): boolean {
  if (a === b) return true
  return !isDeviceList(a) && !isDeviceList(b) && (a.startsWith(`${b}.`) || b.startsWith(`${a}.`))
}

/** Whether a change is about a path: it, something in it, or what it lies in. */
export function touches(change: { readonly path: string }, path: string): boolean {
  return change.path === path || change.path.startsWith(`${path}.`) || (path.startsWith(`${change.path}.`) && !isDeviceList(change.path))
}

/** What is stored of a machine, without a disk and without starting from it. */
export function withoutDisk({ definition, next }: Pick<MachineView, 'definition' | 'next'>, id: string): MachineHardware {
  const hardware = next ?? MachineHardware.parse(definition)
  return { ...hardware, disks: hardware.disks.filter((disk) => disk.id !== id), boot: { ...hardware.boot, order: hardware.boot.order.filter((device) => device !== id) } }
}
