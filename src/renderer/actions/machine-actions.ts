import { type MachineAction, type MachineView, whyRefused } from '@shared/model'
import { computed, toValue, type MaybeRefOrGetter } from 'vue'
import { useConnectionStore } from '../stores/connection.store'
import { useJobsStore } from '../stores/jobs.store'
import { useMachinesStore } from '../stores/machines.store'
import { useWindowStore, type MachineDialog } from '../stores/window.store'
import { useClient } from '../transport/client'
import { askConvert, askDelete, askDetach, askDiscard, askPowerOff, askReset, askSave, askUnmakeTemplate } from './machine-questions'
import { notify } from './notify'
import { notePowerButton } from './power-button'
import { saveScreenshot, copyScreenshot } from './screenshot'
import { useAction, type Action } from './use-action'

export interface MachineActions {
  start: Action
  /** What the guest writes is thrown away when it is off. */
  startDisposable: Action
  pause: Action
  resume: Action
  shutDown: Action
  reset: Action
  /** `asked`: the person has been asked already. */
  powerOff: Action<[asked?: boolean]>
  save: Action
  discardSaved: Action
  screenshot: Action
  copyScreenshot: Action
  rename: Action<[name: string]>
  delete: Action
  /** These ask in a dialog of their own. */
  takeSnapshot: Action
  automaticSnapshots: Action
  cleanUp: Action
  clone: Action
  makeTemplate: Action
  unmakeTemplate: Action
  detach: Action
  convertDisks: Action
}

/** Everything that can be done with one machine. The shared table of the lifecycle says when. */
export function useMachineActions(machine: MaybeRefOrGetter<MachineView | undefined>): MachineActions {
  const machines = useMachinesStore()
  const jobs = useJobsStore()
  const connection = useConnectionStore()
  const window = useWindowStore()

  const now = (): MachineView => {
    const view = toValue(machine)
    if (!view) throw new Error('An action ran without a machine.')
    return view
  }
  const whyNot = (action: MachineAction) => computed(() => {
    const view = toValue(machine)
    if (!view) return 'No machine is selected.'
    if (!connection.isOpen) return 'There is no connection to the host.'
    return whyRefused(action, view)
  })
  const called = (): string => `“${now().definition.name}”`
  const call = (run: (id: string) => Promise<MachineView>) => async (): Promise<void> => { machines.put(await run(now().id)) }
  const opens = (dialog: (machineId: string) => MachineDialog) => (): Promise<void> => {
    window.dialog = dialog(now().id)
    return Promise.resolve()
  }
  const api = useClient()

  return {
    start: useAction({
      label: 'Start', icon: 'i-lucide-play', whyNot: whyNot('start'), failure: () => `${called()} did not start`,
      run: call((id) => api.machine.start({ id })),
    }),
    startDisposable: useAction({
      label: 'Start disposable', icon: 'i-lucide-ghost',
      whyNot: computed(() => (toValue(machine)?.state === 'saved' ? 'A saved machine goes on from its memory; discard its saved state first.' : whyNot('start').value)),
      failure: () => `${called()} did not start`,
      run: call((id) => api.machine.start({ id, disposable: true })),
    }),
    pause: useAction({
      label: 'Pause', icon: 'i-lucide-pause', whyNot: whyNot('pause'), failure: () => `${called()} was not paused`,
      run: call((id) => api.machine.pause({ id })),
    }),
    resume: useAction({
      label: 'Resume', icon: 'i-lucide-play', whyNot: whyNot('resume'), failure: () => `${called()} did not resume`,
      run: call((id) => api.machine.resume({ id })),
    }),
    shutDown: useAction({
      label: 'Shut down', icon: 'i-lucide-power', whyNot: whyNot('shutDown'), failure: () => `${called()} could not be asked to shut down`,
      run: async () => {
        const { id } = now()
        machines.put(await api.machine.shutDown({ id }))
        notePowerButton(id)
      },
    }),
    reset: useAction({
      label: 'Reset', icon: 'i-lucide-rotate-ccw', whyNot: whyNot('reset'), failure: () => `${called()} was not reset`,
      run: async () => (await askReset(now())) && call((id) => api.machine.reset({ id }))(),
    }),
    powerOff: useAction<[asked?: boolean]>({
      label: 'Power off', icon: 'i-lucide-zap-off', whyNot: whyNot('powerOff'), failure: () => `${called()} was not powered off`,
      run: async (asked) => (asked === true || (await askPowerOff(now()))) && call((id) => api.machine.powerOff({ id }))(),
    }),
    save: useAction({
      label: 'Save to disk', icon: 'i-lucide-moon', whyNot: whyNot('save'), failure: () => `${called()} was not saved`,
      run: async () => (await askSave(now())) && jobs.put(await api.machine.save({ id: now().id })),
    }),
    discardSaved: useAction({
      label: 'Discard saved state', icon: 'i-lucide-eraser', whyNot: whyNot('discardSaved'), failure: () => `The saved state of ${called()} was not discarded`,
      run: async () => (await askDiscard(now())) && call((id) => api.machine.discardSaved({ id }))(),
    }),
    screenshot: useAction({
      label: 'Save screenshot…', icon: 'i-lucide-camera', whyNot: whyNot('screenshot'), failure: () => `No screenshot of ${called()} was taken`,
      run: () => saveScreenshot(now()),
    }),
    copyScreenshot: useAction({
      label: 'Copy screenshot', icon: 'i-lucide-clipboard-copy', whyNot: whyNot('screenshot'), failure: () => `No screenshot of ${called()} was copied`,
      run: () => copyScreenshot(now()),
    }),
    rename: useAction<[name: string]>({
      label: 'Rename', icon: 'i-lucide-pencil', whyNot: whyNot('rename'), quiet: true,
      run: async (name) => { machines.put(await api.machine.rename({ id: now().id, name })) },
    }),
    delete: useAction({
      label: 'Delete…', icon: 'i-lucide-trash-2', whyNot: whyNot('delete'), failure: () => `${called()} was not deleted`,
      run: async () => {
        const { id, definition } = now()
        const answer = await askDelete(now())
        if (answer === null) return false
        const { trashed } = await api.machine.delete({ id, permanently: answer.permanently })
        machines.remove(id)
        notify({ kind: 'done', title: trashed ? `“${definition.name}” is in the trash` : `“${definition.name}” was deleted` })
        return true
      },
    }),
    takeSnapshot: useAction({ label: 'Take a snapshot…', icon: 'i-lucide-layers-plus', whyNot: whyNot('takeSnapshot'), run: opens((machineId) => ({ type: 'takeSnapshot', machineId })) }),
    automaticSnapshots: useAction({
      label: 'Automatic snapshots…', icon: 'i-lucide-calendar-clock',
      whyNot: computed(() => {
        const view = toValue(machine)
        if (!view) return 'No machine is selected.'
        if (view.definition.template) return 'A template never changes, so there is nothing to take snapshots of.'
        return connection.isOpen ? null : 'There is no connection to the host.'
      }),
      run: opens((machineId) => ({ type: 'automaticSnapshots', machineId })),
    }),
    cleanUp: useAction({ label: 'Clean up…', icon: 'i-lucide-brush-cleaning', whyNot: whyNot('deleteSnapshot'), run: opens((machineId) => ({ type: 'cleanUp', machineId })) }),
    clone: useAction({ label: 'Clone…', icon: 'i-lucide-copy-plus', whyNot: whyNot('clone'), run: opens((machineId) => ({ type: 'clone', machineId, snapshotId: null })) }),
    makeTemplate: useAction({ label: 'Make a template…', icon: 'i-lucide-stamp', whyNot: whyNot('makeTemplate'), run: opens((machineId) => ({ type: 'makeTemplate', machineId })) }),
    unmakeTemplate: useAction({
      label: 'Turn back into a machine…', icon: 'i-lucide-monitor', whyNot: whyNot('unmakeTemplate'), failure: () => `${called()} is still a template`,
      run: async () => (await askUnmakeTemplate(now())) && call((id) => api.machine.unmakeTemplate({ id }))(),
    }),
    detach: useAction({
      label: 'Make independent…', icon: 'i-lucide-unlink', failure: () => `${called()} was not made independent`,
      whyNot: computed(() => {
        const view = toValue(machine)
        return view && view.definition.origin?.kind !== 'linked' ? 'This machine reads from no other one.' : whyNot('detach').value
      }),
      run: async () => (await askDetach(now())) && jobs.putOwn(await api.machine.detach({ id: now().id })),
    }),
    convertDisks: useAction({
      label: 'Convert…', icon: 'i-lucide-hard-drive-download', whyNot: whyNot('convertDisks'), failure: () => `The disks of ${called()} were not converted`,
      run: async () => (await askConvert(now())) && jobs.putOwn(await api.snapshot.convertDisks({ id: now().id })),
    }),
  }
}
