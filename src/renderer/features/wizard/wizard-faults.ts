import { checkCreateMachine, type HostLimits, type OsEntry } from '@shared/model'
import type { Issue } from '@shared/errors'
import { passphraseFault } from '../../ui/new-passphrase'
import { toRequest, whyNotEncrypted, type Inspection, type WizardForm } from './wizard-form'

export type StepId = 'source' | 'system' | 'resources' | 'summary'
export const stepIds: readonly StepId[] = ['source', 'system', 'resources', 'summary']

/** Names of the fields as they are shown in a list of faults; keys are the paths of `CreateMachineRequest`. */
const fieldNames: Readonly<Record<string, string>> = {
  name: 'Name',
  osId: 'Operating system',
  source: 'Source',
  'source.path': 'File',
  'source.format': 'Disk format',
  'source.mode': 'Use of the disk',
  'source.passphrase': 'Passphrase of the image',
  'source.kernel': 'Kernel',
  'source.initrd': 'Initial RAM disk',
  'source.commandLine': 'Kernel command line',
  processors: 'Processors',
  memoryMiB: 'Memory',
  newDiskGiB: 'New disk',
  encryption: 'Encryption',
  'encryption.passphrase': 'Passphrase',
  network: 'Network',
  'hardware.accelerator': 'Accelerator',
  'hardware.firmware': 'Firmware',
  'hardware.diskBus': 'Disk controller',
  'hardware.nicModel': 'Network card',
  'hardware.display': 'Display',
  'hardware.cpuModel': 'Processor model',
}

export function fieldName(path: string): string {
  return fieldNames[path] ?? (path.startsWith('hardware') ? 'Hardware' : path.startsWith('source') ? 'Source' : 'This machine')
}

/** The step on which a fault can be mended. */
export function stepOf(path: string): StepId {
  if (path.startsWith('source')) return 'source'
  if (path === 'osId') return 'system'
  if (path === 'processors' || path === 'memoryMiB' || path === 'newDiskGiB' || path === 'network' || path.startsWith('encryption')) return 'resources'
  return 'summary'
}

const notANumber: Readonly<Record<string, string>> = {
  processors: 'Type a number of processors, such as 2.',
  memoryMiB: 'Type an amount of memory in MiB, such as 2048.',
  newDiskGiB: 'Type the size of the disk in GiB, such as 20.',
}

/** An empty number field is told so in its own words; the schema would speak of NaN. */
function numbersInWords(form: WizardForm, issues: Issue[]): Issue[] {
  const empty = new Set<string>()
  if (Number.isNaN(form.processors)) empty.add('processors')
  if (Number.isNaN(form.memoryMiB)) empty.add('memoryMiB')
  if (form.withDisk && Number.isNaN(form.diskGiB)) empty.add('newDiskGiB')
  const rest = issues.filter((issue) => !empty.has(issue.path))
  return [...rest, ...[...empty].map((path): Issue => ({ path, message: notANumber[path] ?? 'Type a number.', severity: 'error' }))]
}

function failureIssue(path: string, failure: Extract<Inspection, { state: 'failed' }>): Issue {
  const message = /[.!?”]$/u.test(failure.message) ? failure.message : `${failure.message}.`
  return { path, message: failure.hint ? `${message} ${failure.hint}` : message, severity: 'error' }
}

function imageIssues(path: string, inspection: Inspection, named: string): Issue[] {
  if (named.trim() === '') return []
  switch (inspection.state) {
    case 'none':
    case 'looking':
      return []
    case 'failed':
      return [failureIssue(path, inspection)]
    case 'known':
      // Whatever field the report names, here it is this file's.
      // That it needs its passphrase is what the form asks for.
      return inspection.report.issues.filter(({ code }) => code !== 'KEY_REQUIRED').map((issue) => ({ ...issue, path }))
  }
}

/** Faults of a file as such. What the inspection says of it as a disk image does not matter for a kernel or its RAM disk. */
const fileCodes: ReadonlySet<string> = new Set(['FILE_NOT_FOUND', 'FILE_UNREADABLE', 'NOT_A_FILE', 'FILE_EMPTY'])

function plainFileIssues(path: string, inspection: Inspection, named: string): Issue[] {
  return named.trim() !== '' && inspection.state === 'failed' && fileCodes.has(inspection.code) ? [failureIssue(path, inspection)] : []
}

function encryptionIssues(form: WizardForm): Issue[] {
  if (!form.encrypt) return []
  const [why, fault] = [whyNotEncrypted(form), passphraseFault(form.passphrase, form.passphraseAgain)]
  return [
    ...(why === null ? [] : [{ path: 'encryption', message: why, severity: 'error' as const }]),
    ...(fault === null ? [] : [{ path: 'encryption.passphrase', message: fault, severity: 'error' as const }]),
  ]
}

function belowMinimum(form: WizardForm, os: OsEntry | null): Issue[] {
  if (os === null) return []
  const issues: Issue[] = []
  const { minimum } = os
  // Less than one is a fault of its own, told already.
  if (form.processors >= 1 && form.processors < minimum.processors) {
    issues.push({ path: 'processors', message: `${os.name} needs ${String(minimum.processors)} processors or more.`, severity: 'warning' })
  }
  if (form.memoryMiB < minimum.memoryMiB) {
    issues.push({ path: 'memoryMiB', message: `${os.name} needs ${String(minimum.memoryMiB)} MiB or more and may not start with less.`, severity: 'warning' })
  }
  if (form.withDisk && form.diskGiB > 0 && form.diskGiB < minimum.diskGiB) {
    issues.push({ path: 'newDiskGiB', message: `${os.name} needs a disk of ${String(minimum.diskGiB)} GiB or more to be installed on.`, severity: 'warning' })
  }
  return issues
}

export interface FaultInputs {
  form: WizardForm
  /** null while the host has not told its limits yet: then only the form itself is judged. */
  limits: HostLimits | null
  freeMemoryMiB: number | null
  os: OsEntry | null
  file: Inspection
  kernel: Inspection
  initrd: Inspection
  /** What the host found; it has looked at the files. */
  fromHost: readonly Issue[]
}

const noLimits: HostLimits = { logicalProcessors: Infinity, memoryMiB: Infinity, freeDiskBytes: Infinity, takenNames: [] }

/** Every fault of the form at once, in the order of the steps and their fields, errors first, each said once. Pure. */
export function allFaults(inputs: FaultInputs): Issue[] {
  const { form, limits, os, freeMemoryMiB } = inputs
  const issues = checkCreateMachine(toRequest(form), limits ?? noLimits).filter(({ path }) => !path.startsWith('encryption'))
  issues.push(...encryptionIssues(form))
  if (form.sourceType === 'file') issues.push(...imageIssues('source.path', inputs.file, form.filePath))
  if (form.sourceType === 'kernel') {
    issues.push(...plainFileIssues('source.kernel', inputs.kernel, form.kernelPath), ...plainFileIssues('source.initrd', inputs.initrd, form.initrdPath))
  }
  if (form.sourceType === 'blank' && !form.withDisk) {
    issues.push({ path: 'newDiskGiB', message: 'A machine that starts from an empty disk needs that disk; switch it on.', severity: 'error' })
  }
  if (form.sourceType === 'network' && form.network === 'none') {
    issues.push({ path: 'network', message: 'A machine that starts from the network needs a network card.', severity: 'error' })
  }
  issues.push(...belowMinimum(form, os))
  if (freeMemoryMiB !== null && form.memoryMiB > freeMemoryMiB && (limits === null || form.memoryMiB <= limits.memoryMiB)) {
    issues.push({
      path: 'memoryMiB',
      message: `Only ${String(freeMemoryMiB)} MiB is free now; the computer will slow down while this machine uses all of its memory.`,
      severity: 'warning',
    })
  }
  issues.push(...inputs.fromHost)
  return sortedOnce(numbersInWords(form, issues))
}

function sortedOnce(issues: readonly Issue[]): Issue[] {
  const seen = new Map<string, Issue>()
  for (const issue of issues) {
    const key = `${issue.path}\n${issue.message}`
    if (!seen.has(key)) seen.set(key, issue)
  }
  const fields = Object.keys(fieldNames)
  const rank = (issue: Issue): number => stepIds.indexOf(stepOf(issue.path)) * 1000 + (fields.indexOf(issue.path) + 1) * 2 + (issue.severity === 'error' ? 0 : 1)
  return [...seen.values()].sort((a, b) => rank(a) - rank(b))
}
