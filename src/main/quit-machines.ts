import type { HostServices, MachineManager } from '@core/app/services'
import { messageOf } from '@shared/errors'
import { isLive, type MachineView } from '@shared/model'
import type { Ask } from './question'

/** A machine that is still on, and why, a sentence. */
export interface Failure {
  name: string
  why: string
}

type Progress = (fraction: number | null) => void

/** How long machines get to shut down, and to finish starting, before a person is asked. */
const patienceMs = 90_000

/** Saves machines one after the other, each as a job that the window shows. */
export async function saveMachines({ machines, jobs }: Pick<HostServices, 'machines' | 'jobs'>, live: readonly MachineView[], progress: Progress): Promise<Failure[]> {
  const failures: Failure[] = []
  for (const [index, { id, definition: { name } }] of live.entries()) {
    const report = (fraction: number | null): void => { progress((index + (fraction ?? 0)) / live.length) }
    report(0)
    const machine = await settled(machines, id)
    if (machine === null || !isLive(machine.state)) continue
    if (machine.state !== 'running' && machine.state !== 'paused') {
      failures.push({ name, why: 'It neither finished starting nor ended.' })
      continue
    }
    const job = jobs.run({ kind: 'machine.save', title: `Saving “${name}”`, machineId: id, cancellable: true }, async (reporter) => {
      await machines.save(id, reporter)
    })
    const stop = jobs.onChange((change) => { if (change.type === 'changed' && change.job.id === job.id) report(change.job.progress) })
    const { state, error } = await jobs.ended(job.id)
    stop()
    if (state !== 'succeeded') failures.push({ name, why: error?.message ?? 'Saving it was cancelled.' })
  }
  return failures
}

/** Presses every machine's power button and waits until all are off; asks when that takes long. */
export async function shutDownMachines(machines: MachineManager, live: readonly MachineView[], ask: Ask, progress: Progress): Promise<Failure[]> {
  progress(null)
  const failures: Failure[] = []
  let waitedFor = [...live]
  await Promise.all(live.map(async ({ id, definition: { name } }) => {
    try {
      const machine = await settled(machines, id)
      // A paused guest does not see its power button.
      if (machine?.state === 'paused') await machines.resume(id)
      if (machine?.state === 'running' || machine?.state === 'paused') await machines.shutDown(id)
    } catch (error) {
      failures.push({ name, why: messageOf(error) })
      waitedFor = waitedFor.filter((machine) => machine.id !== id)
    }
  }))
  for (;;) {
    waitedFor = await stillOn(machines, waitedFor)
    if (waitedFor.length === 0) return failures
    const names = waitedFor.map((machine) => `“${machine.definition.name}”`).join(', ')
    const { button } = await ask({
      message: `${names} ${waitedFor.length === 1 ? 'has' : 'have'} not shut down yet.`,
      detail: 'An operating system may ignore its power button, or ask first: see its console. Powering off is like pulling the plug: what was not written is lost.',
      buttons: ['Wait', 'Power Off', 'Keep Running'],
      defaultId: 0,
      cancelId: 0,
    })
    if (button === 2) return failures
    if (button === 1) {
      await Promise.all(waitedFor.map(async ({ id, definition: { name } }) => {
        if (!isOn(machines, id)) return
        await machines.powerOff(id).catch((error: unknown) => { failures.push({ name, why: messageOf(error) }) })
      }))
      return failures
    }
  }
}

/** The machines that are on after `patienceMs`; sooner when all are off. */
async function stillOn(machines: MachineManager, waitedFor: readonly MachineView[]): Promise<MachineView[]> {
  await until(machines, () => waitedFor.every(({ id }) => !isOn(machines, id)))
  return waitedFor.filter(({ id }) => isOn(machines, id))
}

/** The machine once it is neither starting nor saving nor stopping, or after `patienceMs` as it is; null when it was deleted. */
async function settled(machines: MachineManager, id: string): Promise<MachineView | null> {
  const find = (): MachineView | null => machines.list().find((machine) => machine.id === id) ?? null
  const between = (): boolean => ['starting', 'saving', 'stopping'].includes(find()?.state ?? '')
  await until(machines, () => !between())
  return find()
}

function isOn(machines: MachineManager, id: string): boolean {
  return machines.list().some((machine) => machine.id === id && isLive(machine.state))
}

/** Resolves when the condition holds, looked at after every change of a machine, or after `patienceMs`. */
function until(machines: MachineManager, condition: () => boolean): Promise<void> {
  if (condition()) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      stop()
      resolve()
    }
    const timer = setTimeout(done, patienceMs)
    const stop = machines.onChange(() => { if (condition()) done() })
  })
}
