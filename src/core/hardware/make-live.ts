import { isRingsideError, type RingsideError } from '@shared/errors'
import { waitingNote } from '@shared/model'
import { isChannel, isRepeatable, type LiveChange, type SystemPart, withLiveChange } from '../engine/live-change'
import type { HeldMachine } from '../machine/held-machine'
import type { HardwareWork } from './context'
import { pathOf } from './live-path'

/** A guest may take its time to let go of a device; the engine's own limit is shorter. */
const liveChangeMs = 60_000

/** A change that was not made, and why. */
export interface NotMade {
  readonly change: LiveChange
  readonly error: unknown
}

/** How long it takes until it is said what the guest was asked for, milliseconds: one that has a driver lets go within some hundred. */
const tellAfterMs = 1000

/**
 * Makes changes of a machine that runs, each noted in the record of the run; one that fails keeps no other from being made. The guest is asked for all that is to go at once, since one that
 * does not answer takes its time for each; the rest is made one by one. So are folders: Linux lets go of nothing else while it is at one that is mounted. Ends when the machine does.
 * @returns those that were not made
 */
export async function makeAllLive(work: HardwareWork, changes: readonly LiveChange[]): Promise<NotMade[]> {
  const { held } = work
  const failed: NotMade[] = []
  const make = async (change: LiveChange): Promise<void> => {
    try {
      await makeLive(work, change)
    } catch (error) {
      held.log('hardware.notLive', { change: change.kind, path: pathOf(change), message: (error as Error).message })
      if (held.live) failed.push({ change, error })
    }
  }
  const asked = changes.filter(isAskedFor)
  const [folders, others] = [asked.filter(({ kind }) => kind === 'unplugFolder'), asked.filter(({ kind }) => kind !== 'unplugFolder')]
  for (const together of [others, ...folders.map((folder) => [folder])]) {
    if (together.length > 0 && held.live) await whileTold(held, together.map(inWords), () => Promise.all(together.map(make)))
  }
  for (const change of changes.filter((each) => !isAskedFor(each))) {
    if (!held.live) break
    await make(change)
  }
  return failed
}

type AskedFor = Extract<LiveChange, { kind: 'unplugDisk' | 'unplugNic' | 'unplugFolder' | 'unplugPci' | 'unplugVsock' | 'unplugSystem' }>

/** Whether it is for the guest to let go of a device. */
export function isAskedFor(change: LiveChange): change is AskedFor {
  if (change.kind === 'unplugSystem') return !isChannel(change.part)
  return ['unplugDisk', 'unplugNic', 'unplugFolder', 'unplugPci', 'unplugVsock'].includes(change.kind)
}

export function inWords(change: AskedFor): string {
  switch (change.kind) {
    case 'unplugVsock':
      return 'the sockets to the host'
    case 'unplugSystem':
      return systemWords[change.part]
    default:
      return `“${change.id}”`
  }
}

const systemWords: Readonly<Record<SystemPart, string>> = { balloon: 'the memory balloon', randomNumbers: 'the device for random numbers', guestAgent: 'the channel of the guest agent', clipboard: 'the channel of the shared clipboard' }

/** Paths that are as they are for as long as the guest keeps what it was asked for: it can still be booted from, and a balloon has its target. */
export function goesAlong(change: LiveChange): readonly string[] {
  if (change.kind === 'unplugDisk' || change.kind === 'unplugNic') return ['boot.order']
  return change.kind === 'unplugSystem' && change.part === 'balloon' ? ['memory.targetMiB'] : []
}

/** Says in the notes of the run what is waited for, as long as that takes. */
async function whileTold<T>(held: HeldMachine, names: readonly string[], work: () => Promise<T>): Promise<T> {
  const note = waitingNote(names)
  const timer = setTimeout(() => { held.addNote(note) }, tellAfterMs)
  try {
    return await work()
  } finally {
    clearTimeout(timer)
    held.removeNote(note)
  }
}

/** Whether the change only waits: the guest does not let go of a device, or this computer can't do it while the machine runs. */
export function isGuestsRefusal(error: unknown): error is RingsideError {
  return isRingsideError(error, 'GUEST_FAILED') || isRingsideError(error, 'CAPABILITY_MISSING')
}

/**
 * One change in QEMU and in the record of the run. What can be done twice is recorded first, and whoever takes the machine over does it again; of what can be plugged, QEMU tells whether
 * it has it.
 */
async function makeLive({ context, held }: HardwareWork, change: LiveChange): Promise<void> {
  const before = held.run?.definition
  if (before === undefined) return
  const canRepeat = isRepeatable(change)
  if (canRepeat) await held.noteRun(withLiveChange(before, change))
  try {
    await held.command('changeHardware', change, { timeoutMs: liveChangeMs })
    await context.atStep('hardware:live-change-made')
  } catch (error) {
    if (canRepeat) await held.noteRun(before)
    throw error
  }
  if (!canRepeat && held.run !== null) await held.noteRun(withLiveChange(held.run.definition, change))
  await context.atStep('hardware:run-noted')
}
