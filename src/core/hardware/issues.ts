import type { Issue } from '@shared/errors'
import type { MachineDefinition, MachineHardware } from '@shared/model'
import type { StoredMachine } from '../app/services'
import type { HardwareContext } from './context'
import { faultsAmongDevices, faultsWhileRunning, systemFaults } from './faults'
import { folderIssuesOf } from './folders'
import { withHardware } from './hardware'
import { imageIssues } from './images'
import { nvramIssues } from './nvram'
import { tpmIssues } from './tpm'

/**
 * Everything that speaks against hardware for a machine, all at once.
 * @param running what QEMU has; null: the machine does not run
 */
export async function issuesOf(context: HardwareContext, stored: StoredMachine, running: MachineDefinition | null, hardware: MachineHardware): Promise<Issue[]> {
  const known = new Set((await context.rules.issues(stored.definition)).map(({ path, message }) => `${path}\n${message}`))
  const issues: Issue[] = [
    ...faultsAmongDevices(hardware, stored.definition),
    ...systemFaults(hardware, stored.definition, context.knownSystems),
    ...(running === null ? [] : faultsWhileRunning(hardware, running)),
    // What was wrong before, on this computer, is no reason to refuse a change of something else.
    ...(await context.rules.issues(withHardware(stored.definition, hardware))).map((issue): Issue => (known.has(`${issue.path}\n${issue.message}`) ? { ...issue, severity: 'warning' } : issue)),
    ...(await imageIssues(context, stored, hardware)),
    ...(await folderIssuesOf(hardware, stored.definition, context.snapshots.libraryFolder)),
    ...(await tpmIssues(hardware, stored)),
    ...nvramIssues(hardware, stored.definition, running),
  ]
  const seen = new Set<string>()
  // The same may be found twice, by different rules.
  return issues.filter(({ path, message }) => !seen.has(`${path}\n${message}`) && seen.add(`${path}\n${message}`))
}
