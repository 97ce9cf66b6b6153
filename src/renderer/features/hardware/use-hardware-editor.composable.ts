import type { Issue, RingsideError } from '@shared/errors'
import { type HardwareDifference, MachineHardware, type MachineView, whyRefused } from '@shared/model'
import { laterWords } from '@shared/words'
import { computed, onScopeDispose, shallowRef, watch, type ComputedRef } from 'vue'
import { notify } from '../../actions/notify'
import { useAction, type Action } from '../../actions/use-action'
import { useAsked } from '../../lib/asked.composable'
import { useConnectionStore } from '../../stores/connection.store'
import { useMachinesStore } from '../../stores/machines.store'
import { useClient } from '../../transport/client'
import { toRingsideError } from '../../transport/errors'
import { confirm } from '../../ui/confirm'
import { hasGuest, laterAt, waitingInWords } from './change-words'
import { deviceLabel } from './device-tree'
import { beginWith, edited, rebased, redone, undone, type EditHistory } from './edit-history'
import { type Change, changesOf, conflictsOf, isDeviceList, isSame, meets, valueAt, withOrder, withValue } from './hardware-edits'
import { allFaults, schemaFaults } from './hardware-faults'

/** How long after the last edit the host is asked what it would do, milliseconds. */
const settleMs = 250

export interface HardwareEditor {
  /** The hardware as it is edited. */
  readonly hardware: ComputedRef<MachineHardware>
  /** What runs, or would run if nothing were changed. */
  readonly running: ComputedRef<MachineHardware>
  /** What is stored: the next start’s. */
  readonly stored: ComputedRef<MachineHardware>
  /** Edits that are not applied yet. */
  readonly changes: ComputedRef<Change[]>
  /** Differences of what is stored to what runs; they wait for the next start, or for a saved guest to go on. */
  readonly pending: ComputedRef<Change[]>
  /** What waits, when each of it comes and why, as the host told last; null while it is asked. */
  readonly waiting: ComputedRef<readonly HardwareDifference[] | null>
  /** Edits of what was changed elsewhere meanwhile, each with what is stored now and what is edited: a person says which stays, and nothing is applied before. */
  readonly conflicts: ComputedRef<readonly Change[]>
  readonly faults: ComputedRef<Issue[]>
  /** What applying would do, as the host told last; null while it is asked. */
  readonly differences: ComputedRef<readonly HardwareDifference[] | null>
  /** Why what is stored has to wait, by the path of its difference: a guest may keep what it was asked for. What the host said when it was stored here comes first. */
  readonly reasons: ComputedRef<ReadonlyMap<string, string>>
  /** Why the host did not tell. */
  readonly planError: ComputedRef<RingsideError | null>
  /** Why nothing can be edited, a sentence; null: it can. */
  readonly whyFixed: ComputedRef<string | null>
  /** Whether the guest is saved to disk. */
  readonly isSaved: ComputedRef<boolean>
  /** When comes what the guest can’t have now, such as “at the next start”. */
  readonly later: ComputedRef<string>
  /** When comes what waits at a path or below it, such as “when it goes on”. */
  laterAt(path: string): string
  /** What undo and redo would do; null: nothing. */
  readonly undoLabel: ComputedRef<string | null>
  readonly redoLabel: ComputedRef<string | null>
  readonly apply: Action
  readonly discard: Action
  readonly discardPending: Action
  /** Tries what waits once more, and asks the guest again for what it kept. */
  readonly retry: Action
  /** Does one thing at once, without the edits that wait to be applied. */
  readonly act: Action<[path: string, value: unknown]>
  /** Changes the discs that wait because the guest keeps their drives locked, after a question. */
  readonly forceDiscs: Action
  edit(hardware: MachineHardware, label: string, field?: string | null): void
  set(path: string, value: unknown, label: string): void
  /** What was edited at a path stays, whatever was stored meanwhile. */
  keepMine(path: string): void
  /** What was stored meanwhile at a path takes the place of what was edited. */
  takeTheirs(path: string): void
  undo(): void
  redo(): void
}

/**
 * The state of the hardware editor of one machine, apart from how it looks. Lives as long as the calling scope; edits outlive changes that others make meanwhile.
 * @param draft text that can’t be read yet: nothing is applied past it
 */
export function useHardwareEditor(machine: () => MachineView, draft: { readonly isThere: () => boolean; readonly drop: () => void } = { isThere: () => false, drop: () => undefined }): HardwareEditor {
  const connection = useConnectionStore()
  const machines = useMachinesStore()

  const running = computed(() => MachineHardware.parse(machine().definition))
  const stored = computed(() => machine().next ?? running.value)
  const history = shallowRef<EditHistory>(beginWith(stored.value))
  const hardware = computed(() => history.value.present)
  const changes = computed(() => changesOf(stored.value, hardware.value))
  const pending = computed(() => (hasGuest(machine().state) ? changesOf(running.value, stored.value) : []))
  const waiting = useAsked([() => machine().state, () => machine().definition, () => machine().next], async () => {
    const { id, state, next } = machine()
    return hasGuest(state) && next !== null ? (await useClient().hardware.plan({ id, hardware: next })).waiting : []
  })
  const whyFixed = computed(() => {
    const { state, task, definition, run } = machine()
    // A task passes by itself: fields that go grey for a moment would only flicker.
    return whyRefused('changeHardware', { state, task: task === 'hardware' ? null : task, definition, run })
  })

  const plan = shallowRef<{ readonly of: MachineHardware; readonly differences: readonly HardwareDifference[]; readonly issues: readonly Issue[] } | null>(null)
  const planError = shallowRef<RingsideError | null>(null)
  let timer: ReturnType<typeof setTimeout> | undefined
  let turn = 0
  async function ask(): Promise<void> {
    const mine = ++turn
    const of = hardware.value
    try {
      const answer = await useClient().hardware.plan({ id: machine().id, hardware: of })
      if (mine !== turn) return
      plan.value = { of, differences: answer.differences, issues: answer.issues }
      planError.value = null
    } catch (thrown) {
      if (mine !== turn) return
      planError.value = toRingsideError(thrown)
    }
  }
  /** What the host said goes with what it was asked about; nothing is asked while nothing is changed. */
  watch([hardware, stored, () => machine().state], () => {
    clearTimeout(timer)
    turn += 1
    planError.value = null
    plan.value = null
    if (changes.value.length > 0 && whyFixed.value === null) timer = setTimeout(() => void ask(), settleMs)
  })
  onScopeDispose(() => {
    turn += 1
    clearTimeout(timer)
  })

  const reasonsOf = (differences: readonly HardwareDifference[]): [string, string][] => differences.flatMap(({ path, when, reason }): [string, string][] => (when === 'nextStart' && reason !== null ? [[path, reason]] : []))
  const told = shallowRef<ReadonlyMap<string, string>>(new Map())
  // What a paused guest could not do, one that runs can.
  watch(() => machine().state, () => { told.value = new Map() })
  /** Paths that were edited here and changed elsewhere, of which nobody has said yet which value stays. */
  const contested = shallowRef<readonly string[]>([])
  const conflicts = computed(() => changes.value.filter(({ path }) => contested.value.some((each) => meets(each, path))))
  /** The device that a path lies in. */
  const deviceAround = (path: string): string[] => (path.split('.').length > 2 && isDeviceList(path.split('.')[0] ?? '') ? [path.split('.').slice(0, 2).join('.')] : [])
  /** Others have changed the machine under the edits. */
  function standOn(before: MachineHardware, now: MachineHardware): void {
    const met = conflictsOf(before, hardware.value, now)
    contested.value = [...new Set([...conflicts.value.map(({ path }) => path), ...met])]
    history.value = rebased(history.value, before, now)
    // Nothing is left that one could choose of.
    for (const device of new Set(met.flatMap(deviceAround))) {
      const [list = '', id = ''] = device.split('.')
      if (isDeviceList(list) && valueAt(now, device) === undefined) notify({ kind: 'info', title: `${deviceLabel(before, list, id)} was taken out elsewhere`, text: 'What you had changed of it is gone with it.' })
    }
  }
  /** What is being stored: when the machine comes back with it, the edits stand on that. */
  let storing: MachineHardware | null = null
  watch(stored, (now, before) => {
    // A machine is told anew for many reasons.
    if (isSame(before, now)) return
    if (storing === null) standOn(before, now)
    else history.value = rebased(history.value, storing, now)
    storing = null
  }, { flush: 'sync' })

  const faults = computed(() => (changes.value.length === 0 ? [] : allFaults(hardware.value, plan.value?.of === hardware.value ? plan.value.issues : [])))
  const errors = computed(() => faults.value.filter((issue) => issue.severity === 'error'))
  const offline = computed(() => (connection.isOpen ? null : 'There is no connection to the host.'))
  const refused = computed(() => offline.value ?? whyRefused('changeHardware', machine()))

  async function store(next: MachineHardware, isAll: boolean, options: { forceDiscs?: true; again?: true } = {}): Promise<readonly HardwareDifference[]> {
    storing = isAll ? next : null
    const [basedOn, edits] = [stored.value, history.value]
    try {
      const answer = await useClient().hardware.change({ id: machine().id, hardware: next, basedOn, ...options })
      machines.put(answer.machine)
      told.value = new Map([...told.value, ...reasonsOf(answer.differences)])
      return answer.differences
    } catch (thrown) {
      if (isAll && !isSame(basedOn, stored.value)) {
        // Somebody else was quicker, and what they stored is not what was stored here.
        history.value = edits
        standOn(basedOn, stored.value)
      }
      throw thrown
    } finally {
      storing = null
    }
  }

  const apply = useAction({
    label: 'Apply', icon: 'i-lucide-check', failure: () => 'The hardware was not changed',
    whyNot: computed(() => {
      if (draft.isThere()) return 'The text can’t be read yet: mend it, or discard it.'
      if (changes.value.length === 0) return 'Nothing is changed.'
      if (refused.value !== null) return refused.value
      if (conflicts.value.length > 0) return 'Something that you changed was changed elsewhere meanwhile: say which value stays.'
      if (errors.value.length > 0) return errors.value.length === 1 ? (errors.value[0]?.message ?? null) : `${String(errors.value.length)} fields need attention.`
      return null
    }),
    run: async () => {
      const atOnce = new Set(plan.value?.differences.flatMap(({ path, when }) => (when === 'now' ? [path] : [])))
      const later = (await store(hardware.value, true)).filter(({ when }) => when !== 'now')
      const refusal = later.find(({ path }) => atOnce.has(path))?.reason
      if (later.length > 0) notify({ kind: 'info', title: waitingInWords(later.length, later, machine().state), text: refusal ?? 'What waits is marked with a clock, and can be taken back.' })
    },
  })
  const discard = useAction({
    label: 'Discard', icon: 'i-lucide-x', whyNot: computed(() => (changes.value.length === 0 && !draft.isThere() ? 'Nothing is changed.' : null)),
    // eslint-disable-next-line @typescript-eslint/require-await -- an action is a promise, also where it is done at once
    run: async () => {
      edit(stored.value, 'Discard all changes')
      draft.drop()
    },
  })
  const discardPending = useAction({
    label: 'Take all back', icon: 'i-lucide-undo-2', failure: () => 'What waits was not taken back',
    whyNot: computed(() => (pending.value.length === 0 ? 'Nothing waits.' : refused.value)),
    run: async () => { machines.put(await useClient().hardware.discardPending({ id: machine().id })) },
  })
  const retry = useAction({
    label: 'Try again', icon: 'i-lucide-rotate-cw', failure: () => 'What waits was not made',
    whyNot: computed(() => (pending.value.length === 0 ? 'Nothing waits.' : machine().state === 'paused' ? 'The guest is paused; resume the machine first.' : refused.value)),
    run: async () => {
      const differences = await store(stored.value, false, { again: true })
      const waits = differences.filter(({ when }) => when !== 'now')
      if (waits.length > 0) notify({ kind: 'info', title: waitingInWords(waits.length, waits, machine().state), text: waits.length < differences.length ? 'The others were made.' : (waits[0]?.reason ?? '') })
    },
  })
  const act = useAction<[path: string, value: unknown]>({
    label: 'Change', whyNot: refused, failure: () => 'The hardware was not changed',
    run: async (path, value) => {
      const refusal = (await store(withValue(stored.value, path, value), false)).find(({ when }) => when === 'nextStart')?.reason
      if (refusal != null) notify({ kind: 'info', title: waitingInWords(1, null, machine().state), text: refusal })
    },
  })

  const forceDiscs = useAction({
    label: 'Change by force', whyNot: refused, failure: () => 'The disc was not changed',
    run: async () => {
      const { confirmed } = await confirm({
        title: 'Take the disc out by force?', confirmLabel: 'Take it out', dangerous: true,
        message: 'The guest keeps its drive locked, so it is most likely reading from the disc. Programs in it that do will fail. Better unmount or eject the disc in the guest.',
        keeps: [{ text: 'The image file of the disc' }],
      })
      if (confirmed) await store(stored.value, false, { forceDiscs: true })
    },
  })

  function edit(next: MachineHardware, label: string, field: string | null = null): void {
    if (whyFixed.value === null) history.value = edited(history.value, next, label, field)
  }
  function set(path: string, value: unknown, label: string): void {
    if (!isSame(valueAt(hardware.value, path), value)) edit(withValue(hardware.value, path, value), label, path)
  }
  function keepMine(path: string): void {
    contested.value = contested.value.filter((each) => !meets(each, path))
  }
  function takeTheirs(path: string): void {
    const theirs = isDeviceList(path) ? withOrder(hardware.value, path, stored.value[path].map(({ id }) => id)) : withValue(hardware.value, path, valueAt(stored.value, path))
    edit(theirs, 'Take what was changed elsewhere')
  }
  return {
    isSaved: computed(() => machine().state === 'saved'),
    later: computed(() => laterWords(machine().state)),
    laterAt: (path) => laterAt(path, waiting.value.value ?? [], machine().state),
    waiting: computed(() => waiting.value.value),
    hardware, running, stored, changes, conflicts, pending, faults, whyFixed, apply, discard, discardPending, retry, act, forceDiscs, edit, set, keepMine, takeTheirs,
    differences: computed(() => (plan.value?.of === hardware.value && schemaFaults(hardware.value).length === 0 ? plan.value.differences : null)),
    reasons: computed(() => new Map([...reasonsOf(waiting.value.value ?? []), ...told.value])),
    planError: computed(() => planError.value),
    undoLabel: computed(() => history.value.past.at(-1)?.label ?? null),
    redoLabel: computed(() => history.value.future[0]?.label ?? null),
    undo: () => { history.value = undone(history.value) },
    redo: () => { history.value = redone(history.value) },
  }
}
