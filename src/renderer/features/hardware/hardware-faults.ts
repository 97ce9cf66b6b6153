import { MachineHardware } from '@shared/model'
import { type Issue, schemaIssues } from '@shared/errors'
import { isDeviceList, type DeviceList } from './hardware-edits'

/** The schema’s own words for what is no number speak of NaN. */
const notANumber = 'Type a number.'

/** A fault’s path with the device’s id for its place in the list, as everything else here names it. */
export function byId(path: string, hardware: Pick<MachineHardware, DeviceList>): string {
  const [list = '', place = '', ...rest] = path.split('.')
  if (!isDeviceList(list) || !/^\d+$/u.test(place)) return path
  return [list, hardware[list][Number(place)]?.id ?? place, ...rest].join('.')
}

/** What the schema finds wrong, at once and without the host. */
export function schemaFaults(hardware: MachineHardware): Issue[] {
  const parsed = MachineHardware.safeParse(hardware)
  if (parsed.success) return []
  return schemaIssues(parsed.error).map((issue): Issue => {
    const path = issue.path.join('.')
    const isNumber = issue.code === 'invalid_type' && issue.expected === 'number'
    return { path: byId(path, hardware), message: isNumber ? notANumber : issue.message, severity: 'error' }
  })
}

/** All faults, each said once, those that stop first. What the schema says here, the host says as well. */
export function allFaults(hardware: MachineHardware, fromHost: readonly Issue[]): Issue[] {
  const faults = new Map<string, Issue>()
  const own = schemaFaults(hardware)
  const told = fromHost.map((each) => ({ ...each, path: byId(each.path, hardware) })).filter(({ path }) => !own.some((issue) => issue.path === path))
  for (const issue of [...own, ...told]) {
    const key = `${issue.path}\n${issue.message}`
    if (!faults.has(key)) faults.set(key, issue)
  }
  return [...faults.values()].sort((a, b) => Number(a.severity !== 'error') - Number(b.severity !== 'error'))
}

/** Faults to be shown beside a field: its own, and those of what lies in it. */
export function faultsAt(path: string, faults: readonly Issue[]): Issue[] {
  return faults.filter((issue) => issue.path === path || issue.path.startsWith(`${path}.`))
}
