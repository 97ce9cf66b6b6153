import { messageOf } from '@shared/errors'
import type { MachineView } from '@shared/model'
import type { MachineSlot } from './machine-slot'
import type { ManagerContext } from './manager-context'
import { closeLink, requireLink } from './supervise'
import { save } from './verbs/save'
import { shutDown } from './verbs/shut-down'

/** What becomes of running machines when the host goes. */
export type CloseMode = 'keepRunning' | 'save' | 'shutDown'

export interface CloseOptions {
  /** How long guests have to shut themselves down, in milliseconds. */
  timeoutMs?: number
  /** Gives up early: what still runs then goes on. */
  signal?: AbortSignal
  /** A few words for people, now and then. */
  onProgress?: (step: string) => void
}

/** A machine that goes on although it was to end. */
export interface Remaining {
  machine: MachineView
  reason: string
}

const defaultTimeoutMs = 60_000

/** Brings every machine to what the mode says and lists those that would not. They go on, and so do their workers. */
export async function settleMachines(context: ManagerContext, mode: CloseMode, options: CloseOptions): Promise<Remaining[]> {
  const live = context.slots().filter((slot) => slot.live)
  switch (mode) {
    case 'keepRunning':
      return []
    case 'save':
      return collect(live, (slot) => saveForClose(context, slot, options))
    case 'shutDown':
      return collect(live, (slot) => shutDownForClose(context, slot, options))
  }
}

/** Lets go of all machines; they go on. */
export async function releaseMachines(context: ManagerContext): Promise<void> {
  await Promise.all(context.slots().map(async (slot) => {
    slot.released = true
    await slot.cleaning
    slot.stopWaitingForPowerButton()
    await closeLink(slot)
    await slot.log.flushed()
  }))
}

async function collect(slots: MachineSlot[], settle: (slot: MachineSlot) => Promise<void>): Promise<Remaining[]> {
  const remaining: Remaining[] = []
  await Promise.all(slots.map(async (slot) => {
    let reason = 'It did not end in time.'
    try {
      await settle(slot)
    } catch (error) {
      reason = messageOf(error)
    }
    if (slot.live) remaining.push({ machine: slot.view(), reason })
  }))
  return remaining
}

async function saveForClose(context: ManagerContext, slot: MachineSlot, { signal, onProgress }: CloseOptions): Promise<void> {
  await slot.idle()
  if (!slot.live) return
  onProgress?.(`Saving “${slot.name}”`)
  await slot.inOrder('save', () =>
    save(context, slot, {
      signal: signal ?? new AbortController().signal,
      report: (fraction) => {
        if (fraction !== null) onProgress?.(`Saving “${slot.name}”: ${String(Math.round(fraction * 100))} %`)
      },
    }),
  )
}

async function shutDownForClose(context: ManagerContext, slot: MachineSlot, { signal, timeoutMs, onProgress }: CloseOptions): Promise<void> {
  await slot.idle()
  if (!slot.live) return
  onProgress?.(`Shutting down “${slot.name}”`)
  // A paused guest hears no button.
  if (slot.state === 'paused') await (await requireLink(context, slot, 'resume')).command('resume', {}, { timeoutMs: context.timings.command })
  if (slot.state === 'paused') slot.set({ state: 'running' })
  await slot.inOrder('shutDown', () => shutDown(context, slot))
  await slot.untilRest(AbortSignal.any([AbortSignal.timeout(timeoutMs ?? defaultTimeoutMs), ...(signal === undefined ? [] : [signal])]))
}
