import type { HostServices } from '@core/app/services'
import { isLive, type MachineView, type Settings } from '@shared/model'
import type { Ask } from './question'
import { saveMachines, shutDownMachines, type Failure } from './quit-machines'

export interface QuitDependencies {
  services: Pick<HostServices, 'machines' | 'jobs' | 'settings'>
  ask: Ask
  /** How far it is, 0..1; null while unknown; 'none' when there is nothing to show. */
  progress: (fraction: number | null | 'none') => void
  /** Lets go of the library and the workers; machines go on. */
  closeHost: () => Promise<void>
  /** Ends the application; nothing asks any more. */
  exit: () => void
  log: (message: string, cause?: unknown) => void
}

export interface QuitFlow {
  /** A person wants to quit: asks what has to be asked. Asking again while it goes on changes nothing. */
  quit: () => Promise<void>
  /** The session or the terminal ends: machines go on, nothing is asked. */
  leave: () => Promise<void>
  /** Whether the application may end now. */
  readonly finished: boolean
}

type Choice = Exclude<Settings['onQuit'], 'ask'>
const choices: readonly Choice[] = ['keepRunning', 'save', 'shutDown']

export function createQuitFlow({ services, ask, progress, closeHost, exit, log }: QuitDependencies): QuitFlow {
  let state: 'idle' | 'deciding' | 'finished' = 'idle'

  async function decideAndDo(): Promise<boolean> {
    if (!(await mayLeaveJobs())) return false
    const live = services.machines.list().filter((machine) => isLive(machine.state))
    const choice = live.length === 0 ? 'keepRunning' : await choiceFor(live)
    switch (choice) {
      case 'cancel':
        return false
      case 'keepRunning':
        return true
      case 'save':
        return mayLeave(await saveMachines(services, live, progress))
      case 'shutDown':
        return mayLeave(await shutDownMachines(services.machines, live, ask, progress))
    }
  }

  /** Work that would be lost; saving a machine is waited for below. */
  async function mayLeaveJobs(): Promise<boolean> {
    const jobs = services.jobs.list().filter((job) => job.state === 'running' && job.kind !== 'machine.save')
    if (jobs.length === 0) return true
    const { button } = await ask({
      message: jobs.length === 1 ? 'Work is still under way.' : `${String(jobs.length)} pieces of work are still under way.`,
      detail: `${jobs.map((job) => job.title).join('\n')}\n\nQuitting cancels it and removes what it has made so far.`,
      buttons: ['Cancel Work and Quit', 'Go On Working'],
      defaultId: 1,
      cancelId: 1,
    })
    if (button !== 0) return false
    for (const { id, cancellable } of jobs) {
      if (cancellable && services.jobs.list().some((job) => job.id === id && job.state === 'running')) services.jobs.cancel(id)
      await services.jobs.ended(id)
    }
    return true
  }

  async function choiceFor(live: readonly MachineView[]): Promise<Choice | 'cancel'> {
    const { onQuit } = services.settings.get()
    if (onQuit !== 'ask') return onQuit
    const { button, checked } = await ask({
      message: live.length === 1 ? `“${live[0]?.definition.name ?? ''}” is on. What is to become of it?` : `${String(live.length)} machines are on. What is to become of them?`,
      detail: [
        ...(live.length === 1 ? [] : [live.map((machine) => machine.definition.name).join('\n'), '']),
        'Keep running: they go on without the window, and are there again when you come back.',
        'Save to disk: they are frozen as they are, and go on from there.',
        'Shut down: as with the power button.',
      ].join('\n'),
      buttons: ['Keep Running', 'Save to Disk', 'Shut Down', 'Cancel'],
      defaultId: 0,
      cancelId: 3,
      checkbox: 'Always do this',
    })
    const choice = choices[button]
    if (choice === undefined) return 'cancel'
    if (checked) await services.settings.change({ onQuit: choice }).catch((error: unknown) => { log('The choice for quitting could not be saved.', error) })
    return choice
  }

  async function mayLeave(failures: readonly Failure[]): Promise<boolean> {
    if (failures.length === 0) return true
    const { button } = await ask({
      message: failures.length === 1 ? `“${failures[0]?.name ?? ''}” is still on.` : `${String(failures.length)} machines are still on.`,
      detail: failures.map(({ name, why }) => `${name}: ${why}`).join('\n'),
      buttons: ['Quit and Keep Running', 'Cancel'],
      defaultId: 1,
      cancelId: 1,
    })
    return button === 0
  }

  async function finish(): Promise<void> {
    state = 'finished'
    await closeHost().catch((error: unknown) => { log('The library could not be closed in order.', error) })
    exit()
  }

  return {
    get finished() { return state === 'finished' },
    async quit() {
      if (state !== 'idle') return
      state = 'deciding'
      let go = false
      try {
        go = await decideAndDo()
      } catch (error) {
        log('Quitting failed.', error)
      } finally {
        progress('none')
        // It may have been left meanwhile, by the end of the session.
        if (state === 'deciding') state = 'idle'
      }
      if (go && state === 'idle') await finish()
    },
    async leave() {
      if (state !== 'finished') await finish()
    },
  }
}
