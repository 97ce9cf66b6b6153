import { expect, test } from 'vitest'
import { isRingsideError } from '@shared/errors'
import { useFaultMachine } from './fault-machine'
import type { Operation, Victim } from './fault-operations'
import { copyFolder } from './ledger-machines'
import { OpenLibrary } from './open-library'
import { inParallel } from './parallel'
import { processesNaming } from './processes'
import { HostProcess } from './real-host'
import { ownFiles } from './sound-machine'
import { StepHooks, type Step } from './step-hooks'
import { temporaryLibrary, type TemporaryLibrary } from './temporary-folder'

/*
 * kill -9 at every step of everything that changes snapshots. Which steps there are is recorded in a run that is left alone, so that a new one is covered by itself.
 * At each of them the host, the machine's worker or its QEMU ends. Then a new host opens the library: every snapshot has to be whole or absent, every disk in
 * order, every guest's data its own, and the machine good for everything else.
 */

interface Case {
  label: string
  id: string
  step: Step
  victim: Victim
}

interface RecordedStep extends Step {
  /** Whether there was a worker and a QEMU then. */
  runs: boolean
}

type TryAll = (some: Case[], work: (one: Case) => Promise<void>) => Promise<unknown>

/** Cases at a time: most of a case is waiting for processes. And so many machines run at most. */
const width = 3
const batch = 6

let at: ReturnType<typeof useFaultMachine>

/** A test for each operation. */
export function testKillsDuring(operations: readonly Operation[]): void {
  at = useFaultMachine()
  // Dozens of machines, one after the other.
  test.each(operations)('killed at each step of: $name', { timeout: 1_200_000 }, killAtEachStep)
}

/** A library that nothing runs in any more at the end. */
async function inLibrary<Result>(work: (library: TemporaryLibrary) => Promise<Result>): Promise<Result> {
  await using library = await temporaryLibrary()
  const result = await work(library)
  // The last of them may just be ending.
  await expect.poll(() => processesNaming(library.runtime)).toEqual([])
  return result
}

/** Lets the operation alone, and tells the steps that it comes to. */
async function record(library: TemporaryLibrary, operation: Operation): Promise<RecordedStep[]> {
  const id = await at.machine.copy(library, operation, 'left alone')
  const hooks = new StepHooks()
  const steps: RecordedStep[] = []
  await using open = await OpenLibrary.open(at.programs, library, hooks)
  await at.machine.prepare(open.calls, operation, id)
  await hooks.during(async (step) => void steps.push({ ...step, runs: (await open.calls.machines.get(id)).run !== null }), () => operation.run(open.calls, id, at.machine.tree))
  await at.machine.expectSound(open, operation, id, { wasCut: false })
  return steps
}

async function killAtEachStep(operation: Operation): Promise<void> {
  const steps = await inLibrary((library) => record(library, operation))
  expect(steps.length).toBeGreaterThan(0)
  const cases = operation.victims.flatMap((victim) => steps.filter(({ runs }) => runs || victim === 'host').map((step) => ({ victim, step, label: `${victim} at ${String(step.index)} ${step.name}` })))
  for (const victim of operation.victims) expect(cases.filter((one) => one.victim === victim).length).toBeGreaterThan(0)
  const faults: Record<string, string> = {}
  for (let first = 0; first < cases.length; first += batch) {
    // A library of its own: who deletes a layer looks through all of a library for those that read from it.
    await inLibrary(async (library) => {
      const some: Case[] = []
      for (const one of cases.slice(first, first + batch)) some.push({ ...one, id: await at.machine.copy(library, operation, one.label) })
      await tryBatch(library, operation, some, (these, work) =>
        inParallel(width, these, (one) => work(one).catch((error: unknown) => void (faults[one.label] ??= (error as Error).stack ?? String(error)))))
    })
  }
  expect(faults).toEqual({})
}

async function tryBatch(library: TemporaryLibrary, operation: Operation, cases: Case[], tryAll: TryAll): Promise<void> {
  const byHost = cases.filter(({ victim }) => victim === 'host')
  const others = cases.filter(({ victim }) => victim !== 'host')
  if (byHost.length > 0) await killHost(library, operation, byHost, tryAll)
  const left = new Map<string, string[]>()
  for (const { id, label } of byHost) left.set(id, await ownFiles(copyFolder(library, id, label)))
  const hooks = new StepHooks()
  {
    await using open = await OpenLibrary.open(at.programs, library, hooks)
    await tryAll(byHost, async (one) => {
      // What is left over is removed by a person alone; only what somebody asked to be rid of goes on to go.
      if (operation.deletes === undefined && operation.clones === undefined) expect(await ownFiles(copyFolder(library, one.id, one.label))).toEqual(expect.arrayContaining(left.get(one.id)?.filter(isKept) ?? []))
      await at.machine.expectSound(open, operation, one.id, { wasCut: true })
    })
    await tryAll(others, (one) => killProcess(open, hooks, operation, one))
    expect(open.defects).toEqual([])
    await open.close()
  }
  if (others.length > 0) {
    await using open = await OpenLibrary.open(at.programs, library)
    await tryAll(others, (one) => at.machine.expectSound(open, operation, one.id, { wasCut: true }))
    expect(open.defects).toEqual([])
  }
}

const isKept = (file: string): boolean => /^(?:disks|firmware|snapshots)\//u.test(file)

/** Brings each machine to its step, where the host holds still, and then kills that host with all of them at once. */
async function killHost(library: TemporaryLibrary, operation: Operation, cases: Case[], tryAll: TryAll): Promise<void> {
  await using host = await HostProcess.start(at.programs, library)
  await tryAll(cases, async ({ id, step }) => {
    await at.machine.prepare(host.calls, operation, id)
    await host.holdAt(step, (calls) => operation.run(calls, id, at.machine.tree))
  })
  await host.kill()
}

/** Kills the worker or the QEMU of the machine at its step, and lets the host see what becomes of the operation. */
async function killProcess(open: OpenLibrary, hooks: StepHooks, operation: Operation, { id, step, victim }: Case): Promise<void> {
  await at.machine.prepare(open.calls, operation, id)
  const before = await open.calls.machines.get(id)
  const outcome = await hooks.during(
    async ({ index }) => {
      if (index !== step.index) return
      const { run } = await open.calls.machines.get(id)
      const pid = victim === 'worker' ? run?.workerPid : run?.qemuPid
      if (typeof pid === 'number') process.kill(pid, 'SIGKILL')
    },
    () => operation.run(open.calls, id, at.machine.tree).then(() => null, (error: unknown) => error),
  )
  if (outcome !== null) expect(isRingsideError(outcome) && outcome.code !== 'INTERNAL', (outcome as Error).stack).toBe(true)
  expect(before.run).not.toBeNull()
}

