import { computed, onScopeDispose, reactive, ref, shallowRef, toValue, watch, type ComputedRef, type MaybeRefOrGetter } from 'vue'
import { serialiseError, type Issue } from '@shared/errors'
import type { HostInfo, HostLimits, ImageReport, Job, OsCatalog, OsEntry } from '@shared/model'
import { withoutPassphrases, type CreateMachineRequest } from '@shared/model'
import { fieldsFromReport, sizesFor, suggestName, wantsDisk, type FollowingField } from './wizard-defaults'
import { allFaults, stepIds, stepOf, type StepId } from './wizard-faults'
import { emptyForm, toRequest, type Inspection, type WizardForm } from './wizard-form'

/** What the wizard needs of the host; the dialog passes the contract's client. */
export interface WizardHost {
  inspect(path: string, acceptedFiles: readonly string[]): Promise<ImageReport>
  check(request: unknown): Promise<Issue[]>
  create(request: CreateMachineRequest & { startWhenCreated: boolean }): Promise<Job>
}

export interface WizardFacts {
  catalog: MaybeRefOrGetter<OsCatalog | null>
  host: MaybeRefOrGetter<HostInfo | null>
  takenNames: MaybeRefOrGetter<readonly string[]>
}

export type FileField = 'filePath' | 'kernelPath' | 'initrdPath'
const fileFields: readonly FileField[] = ['filePath', 'kernelPath', 'initrdPath']

/** How long after the last change the host is asked, milliseconds. */
const settleMs = 250

/**
 * The state of the new-machine wizard, apart from how it looks: the form, what follows what, every fault at once, and the creation.
 * Whatever a person typed stays as typed; only fields that nobody touched follow the operating system and the file.
 */
export function useWizard(host: WizardHost, facts: WizardFacts) {
  const form = reactive<WizardForm>(emptyForm())
  const step = ref<StepId>('source')
  /** Fields changed by a person; they no longer follow. */
  const touched = reactive(new Set<keyof WizardForm>())
  /** Steps whose faults are shown in full, touched or not. */
  const reviewed = reactive(new Set<StepId>())
  const inspections = reactive<Record<FileField, Inspection>>({ filePath: { state: 'none' }, kernelPath: { state: 'none' }, initrdPath: { state: 'none' } })
  const fromHost = shallowRef<readonly Issue[]>([])
  const submitting = ref(false)
  const submitError = shallowRef<ReturnType<typeof serialiseError> | null>(null)

  const catalog = computed(() => toValue(facts.catalog))
  const hostInfo = computed(() => toValue(facts.host))
  const takenNames = computed(() => toValue(facts.takenNames))
  const os: ComputedRef<OsEntry | null> = computed(() => catalog.value?.entries.find((entry) => entry.id === form.osId) ?? null)
  const limits = computed<HostLimits | null>(() => {
    const info = hostInfo.value
    if (info === null) return null
    return { logicalProcessors: info.logicalProcessors, memoryMiB: info.memoryMiB, freeDiskBytes: info.libraryFreeBytes, takenNames: takenNames.value }
  })
  const request = computed(() => toRequest(form))

  const faults = computed(() =>
    allFaults({
      form,
      limits: limits.value,
      freeMemoryMiB: hostInfo.value?.freeMemoryMiB ?? null,
      os: os.value,
      file: inspections.filePath,
      kernel: inspections.kernelPath,
      initrd: inspections.initrdPath,
      fromHost: fromHost.value,
    }),
  )
  const errors = computed(() => faults.value.filter((issue) => issue.severity === 'error'))
  const looking = computed(() => fileFields.some((field) => inspections[field].state === 'looking'))
  const canCreate = computed(() => errors.value.length === 0 && !looking.value && !submitting.value)
  const isDirty = computed(() => touched.size > 0)

  const formFieldOf: Readonly<Record<string, keyof WizardForm>> = {
    'source.path': 'filePath', 'source.passphrase': 'imagePassphrase', 'source.kernel': 'kernelPath', 'source.initrd': 'initrdPath', 'source.commandLine': 'commandLine',
    newDiskGiB: 'diskGiB', osId: 'osId', processors: 'processors', memoryMiB: 'memoryMiB', name: 'name', network: 'network',
  }

  /** Faults to show beside one field now: an untouched field is not scolded before its step was looked through. */
  function faultsOf(path: string): Issue[] {
    const own = faults.value.filter((issue) => issue.path === path)
    if (reviewed.has(stepOf(path))) return own
    const field = formFieldOf[path]
    return field !== undefined && touched.has(field) ? own : own.filter((issue) => issue.severity === 'warning')
  }

  function stepState(id: StepId): 'fault' | 'done' | 'open' {
    if (!reviewed.has(id)) return 'open'
    return errors.value.some((issue) => stepOf(issue.path) === id) ? 'fault' : 'done'
  }

  /** Sets a field as a person does: from now on it is theirs. */
  function set<K extends keyof WizardForm>(field: K, value: WizardForm[K]): void {
    form[field] = value
    touched.add(field)
    submitError.value = null
    if (field === 'sourceType') followSource()
    if (field === 'osId') followSystem()
    if (field === 'fileUse') followSource()
    if (field === 'filePath') Object.assign(form, { acceptedFiles: [], imageEncrypted: false, imagePassphrase: '' })
    if (field === 'filePath' || field === 'kernelPath' || field === 'initrdPath') look(field)
  }

  function follow<K extends FollowingField>(field: K, value: WizardForm[K]): void {
    if (!touched.has(field)) form[field] = value
  }

  function followSource(): void {
    // A kernel that is loaded by itself is Linux's.
    if (form.sourceType === 'kernel' && form.osId === '' && catalog.value?.entries.some((entry) => entry.id === 'linux')) {
      follow('osId', 'linux')
      followSystem()
    }
    follow('withDisk', wantsDisk(form.sourceType, form.fileUse === 'disk'))
    follow('name', suggestName(form, os.value, takenNames.value))
  }

  function followSystem(): void {
    if (os.value !== null) {
      const sizes = sizesFor(os.value, hostInfo.value)
      follow('processors', sizes.processors)
      follow('memoryMiB', sizes.memoryMiB)
      follow('diskGiB', sizes.diskGiB)
    }
    follow('name', suggestName(form, os.value, takenNames.value))
  }

  const lookTimers = new Map<FileField, ReturnType<typeof setTimeout>>()

  function look(field: FileField): void {
    const path = form[field].trim()
    clearTimeout(lookTimers.get(field))
    if (path === '') {
      inspections[field] = { state: 'none' }
      return
    }
    inspections[field] = { state: 'looking', path }
    lookTimers.set(field, setTimeout(() => void lookNow(field, path), settleMs))
  }

  async function lookNow(field: FileField, path: string): Promise<void> {
    const stillAsked = (): boolean => form[field].trim() === path && inspections[field].state === 'looking'
    try {
      const report = await host.inspect(path, field === 'filePath' ? form.acceptedFiles : [])
      if (!stillAsked()) return
      inspections[field] = { state: 'known', path, report }
      if (field === 'filePath') followReport(report)
    } catch (thrown) {
      if (!stillAsked()) return
      const { code, message, data } = serialiseError(thrown)
      inspections[field] = { state: 'failed', path, code, message, hint: data.hint ?? null }
    }
  }

  function followReport(report: ImageReport): void {
    const fields = fieldsFromReport(report)
    // A new file is judged afresh: what was chosen about the file before said nothing about this one.
    for (const field of ['fileUse', 'diskFormat', 'diskMode'] as const) touched.delete(field)
    form.imageEncrypted = report.encryption !== undefined
    if (fields.fileUse !== undefined) form.fileUse = fields.fileUse
    if (fields.diskFormat !== undefined) form.diskFormat = fields.diskFormat
    if (fields.diskMode !== undefined) form.diskMode = form.acceptedFiles.length > 0 || form.imageEncrypted ? 'convert' : fields.diskMode
    // What somebody has encrypted is not left plain unless they say so.
    if (form.imageEncrypted && !touched.has('encrypt')) form.encrypt = true
    if (fields.osId !== undefined && catalog.value?.entries.some((entry) => entry.id === fields.osId)) {
      if (!touched.has('osId')) form.osId = fields.osId
      followSystem()
    }
    followSource()
  }

  /** Accepts a file outside the library that the chosen disk is based on; it is looked at again with that. */
  function accept(path: string): void {
    form.acceptedFiles.push(path)
    form.diskMode = 'convert'
    look('filePath')
  }

  let checkTimer: ReturnType<typeof setTimeout> | undefined
  let checkNumber = 0

  /** Asks the host to judge the request now. A host that does not answer leaves the local judgement standing. */
  async function checkNow(): Promise<void> {
    checkNumber += 1
    const mine = checkNumber
    try {
      const issues = await host.check(withoutPassphrases(request.value))
      if (mine === checkNumber) fromHost.value = issues
    } catch {
      if (mine === checkNumber) fromHost.value = []
    }
  }

  watch(
    request,
    (next, previous) => {
      if (JSON.stringify(next) === JSON.stringify(previous)) return
      // What the host said of a field that has changed since is no longer true.
      fromHost.value = fromHost.value.filter((issue) => JSON.stringify(at(next, issue.path)) === JSON.stringify(at(previous, issue.path)))
      // Nor is an answer that is still under way about what is typed now.
      checkNumber += 1
      clearTimeout(checkTimer)
      checkTimer = setTimeout(() => void checkNow(), settleMs)
    },
    { flush: 'sync' },
  )
  watch([catalog, hostInfo], () => { followSystem() }, { immediate: true })

  onScopeDispose(() => {
    clearTimeout(checkTimer)
    checkNumber += 1
    for (const timer of lookTimers.values()) clearTimeout(timer)
  })

  function goTo(id: StepId): void {
    const from = stepIds.indexOf(step.value)
    const to = stepIds.indexOf(id)
    // Whatever lies behind has been seen, and the summary shows everything.
    for (const passed of stepIds.slice(Math.min(from, to), to)) reviewed.add(passed)
    reviewed.add(step.value)
    if (id === 'summary') for (const any of stepIds) reviewed.add(any)
    step.value = id
  }

  /** The first error on the present step, when there is one; then the step stays. */
  function next(): Issue | null {
    reviewed.add(step.value)
    const stop = errors.value.find((issue) => stepOf(issue.path) === step.value)
    if (stop) return stop
    const following = stepIds[stepIds.indexOf(step.value) + 1]
    if (following) goTo(following)
    return null
  }

  function back(): void {
    const previous = stepIds[stepIds.indexOf(step.value) - 1]
    if (previous) step.value = previous
  }

  /** Starts the creation. Resolves to the job, or to null when the host refused; then `submitError` says why. */
  async function create(): Promise<Job | null> {
    for (const any of stepIds) reviewed.add(any)
    if (!canCreate.value) return null
    submitting.value = true
    submitError.value = null
    try {
      return await host.create({ ...request.value, startWhenCreated: form.startWhenCreated })
    } catch (thrown) {
      const shape = serialiseError(thrown)
      submitError.value = shape
      if (shape.data.issues) fromHost.value = shape.data.issues
      return null
    } finally {
      submitting.value = false
    }
  }

  return {
    form, step, touched, reviewed, inspections, os, limits, request, faults, errors, looking, canCreate, isDirty, submitting, submitError,
    set, accept, faultsOf, stepState, goTo, next, back, create, checkNow,
  }
}

export type Wizard = ReturnType<typeof useWizard>

function at(value: unknown, path: string): unknown {
  if (path === '') return value
  return path.split('.').reduce<unknown>((inner, key) => (typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[key] : undefined), value)
}
