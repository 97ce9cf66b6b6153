import { mkdir, readdir, rename } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { isRingsideError } from '@shared/errors'
import { isLive } from '@shared/model'
import { emptyLedgerDisk, assembleLedgerDisk, readCutLedger, readLedger } from './support/ledger-guest'
import { bareHardware, diskMachine, LedgerConsole } from './support/ledger-machines'
import { OpenLibrary } from './support/open-library'
import { inParallel } from './support/parallel'
import { addMachines, HostProcess, type NewMachine } from './support/real-host'
import { ownFiles, readDisk, strayFiles } from './support/sound-machine'
import { StepHooks, type Step } from './support/step-hooks'
import { useLibrary } from './support/test-library'

/*
 * kill -9 at every step of moving a disk: out of the machine's folder while its guest writes to it and back into it while it is off. Then a new host opens the library: exactly one file is the
 * disk, it has all that the guest wrote, and the other one is gone.
 */

const at = useLibrary()
const width = 3

type Victim = 'host' | 'worker' | 'QEMU'
interface Case { label: string; victim: Victim; step: Step; id: string }
/** `out`: of the machine's folder, running. `in`: into it, off. */
type Way = 'out' | 'in'


const outside = (name: string): string => join(at.library.data, 'elsewhere', `${name.replaceAll(' ', '-')}.qcow2`)

/** Its second disk is the one that moves. */
function machineFor(way: Way, name: string): NewMachine {
  const made = diskMachine(name, [assembleLedgerDisk(), emptyLedgerDisk()], bareHardware)
  if (way === 'out') return made
  const [first, second] = made.definition?.disks ?? []
  if (first === undefined || second === undefined) throw new Error('The machine has two disks.')
  return {
    ...made,
    definition: { ...made.definition, disks: [first, { ...second, image: { kind: 'external', path: outside(name) } }] },
    async prepare(paths) {
      await made.prepare?.(paths)
      await mkdir(dirname(outside(name)), { recursive: true })
      await rename(join(paths.disksFolder, 'disk1.qcow2'), outside(name))
    },
  }
}

const imageOf = async ({ calls }: { calls: OpenLibrary['calls'] }, id: string): Promise<string> => {
  const { definition, folder } = await calls.machines.get(id)
  const { image } = definition.disks.find((disk) => disk.id === 'disk1') ?? {}
  return image?.kind === 'own' ? join(folder, image.path) : image?.path ?? ''
}

async function move(host: { calls: OpenLibrary['calls'] }, way: Way, id: string, name: string): Promise<void> {
  await host.calls.images.work({ kind: 'move', path: await imageOf(host, id), to: way === 'out' ? outside(name) : null })
}

/** Runs, and has written something. */
async function begin(host: Pick<OpenLibrary, 'calls' | 'openConsole'>, way: Way, id: string): Promise<void> {
  if (way === 'in') return
  await host.calls.machines.start(id)
  using console = await LedgerConsole.open(host, id)
  await console.write(2)
}

async function stepsOf(way: Way): Promise<Step[]> {
  const [id = ''] = await addMachines(at.library, [machineFor(way, 'left alone')])
  await mkdir(join(at.library.data, 'elsewhere'), { recursive: true })
  const hooks = new StepHooks()
  const steps: Step[] = []
  await using open = await OpenLibrary.open(at.programs, at.library, hooks)
  await begin(open, way, id)
  await hooks.during((step) => void steps.push(step), () => move(open, way, id, 'left alone'))
  expect(steps.map(({ name }) => name)).toEqual(expect.arrayContaining(['move:copied', 'move:named', 'move:recorded', 'move:source-removed']))
  await expectSound(open, way, id, 'left alone', 'moved')
  await expectUsable(open, id)
  return steps
}

/** One file is the disk and has all that was written; nothing else lies about; and everything can be done with the machine. */
async function expectSound(open: OpenLibrary, way: Way, id: string, name: string, state: 'moved' | 'cut'): Promise<void> {
  const { machines } = open.calls
  const view = await machines.get(id)
  const path = await imageOf(open, id)
  const isOut = path === outside(name)
  if (state === 'moved') expect(isOut).toBe(way === 'out')
  const found = (await readdir(dirname(outside(name)))).filter((file) => file.includes(basename(outside(name))))
  expect(found).toEqual(isOut ? [basename(outside(name))] : [])
  expect((await ownFiles(join(view.folder, 'disks'))).filter((file) => file.includes('disk1'))).toEqual(isOut ? [] : [basename(path)])
  expect(await strayFiles(view.folder, [open.services.library.get(id).definition].map(({ disks }) => ({ disks: disks.filter(({ image }) => image.kind === 'own') })))).toEqual([])
  expect(open.services.library.get(id).definition.disks).toEqual(view.definition.disks)
  if (isLive(view.state)) {
    using console = await LedgerConsole.open(open, id)
    await console.verify()
    await machines.powerOff(id)
  }
  const content = await readDisk(path)
  const { number } = way === 'out' ? readCutLedger(content) : readLedger(content)
  // What a guest has not flushed, a QEMU that is killed may take along; what has moved was flushed.
  if (way === 'out' && (isOut || view.state !== 'crashed')) expect(number).toBeGreaterThan(0)
  if (view.state !== 'crashed') return
  await machines.start(id)
  using console = await LedgerConsole.open(open, id)
  // Once round, so that what the power cut caught is written over.
  await console.write(15)
  await console.verify()
  await machines.powerOff(id)
}

/** Everything that a machine can do, its disk can do wherever it has been: moved while the guest is paused, in a snapshot, in saved memory. */
async function expectUsable(open: OpenLibrary, id: string): Promise<void> {
  const { machines, images, snapshots } = open.calls
  await machines.start(id)
  await machines.pause(id)
  const path = await imageOf(open, id)
  const isOut = path.includes('elsewhere')
  await images.work({ kind: 'move', path, to: isOut ? null : outside('back') })
  expect((await machines.get(id)).state).toBe('paused')
  await machines.resume(id)
  if (!isOut) await images.work({ kind: 'move', path: outside('back'), to: null })
  await snapshots.take(id, { name: 'after', description: '', memory: true, quiesce: false })
  await machines.save(id)
  await machines.start(id)
  using console = await LedgerConsole.open(open, id)
  await console.write(2)
  await console.verify()
  await machines.powerOff(id)
}

async function tryAll(cases: readonly Case[], work: (one: Case) => Promise<void>): Promise<Record<string, string>> {
  const faults: Record<string, string> = {}
  await inParallel(width, cases, (one) => work(one).catch((error: unknown) => void (faults[one.label] = (error as Error).stack ?? String(error))))
  return faults
}

async function casesOf(way: Way, victims: readonly Victim[]): Promise<Case[]> {
  const steps = await stepsOf(way)
  const labels = victims.flatMap((victim) => steps.map((step) => ({ label: `${victim} at ${String(step.index)} ${step.name}`.replace(':', ' '), victim, step })))
  const ids = await addMachines(at.library, labels.map(({ label }) => machineFor(way, label)))
  return labels.map((one, index) => ({ ...one, id: ids[index] ?? '' }))
}

test.each<[Way]>([['out'], ['in']])('the host is killed at each step of moving a disk: %s', async (way) => {
  const cases = await casesOf(way, ['host'])
  {
    await using host = await HostProcess.start(at.programs, at.library)
    expect(await tryAll(cases, async ({ id, step, label }) => {
      await begin(host, way, id)
      await host.holdAt(step, (calls) => move({ calls }, way, id, label))
    })).toEqual({})
    await host.kill()
  }
  await using open = await OpenLibrary.open(at.programs, at.library)
  expect(await tryAll(cases, ({ id, label, step }) => expectSound(open, way, id, label, ['move:begun', 'move:copied', 'move:named'].includes(step.name) ? 'cut' : 'moved'))).toEqual({})
  expect(open.defects).toEqual([])
}, 300_000)

test('its worker or its QEMU is killed at each step of moving a disk while the guest writes', async () => {
  const decisive = ['move:copied', 'move:recorded', 'move:switched']
  const cases = (await casesOf('out', ['worker', 'QEMU'])).filter(({ victim, step: { name } }) => decisive.includes(name) || (victim === 'QEMU' && name === 'move:begun'))
  const hooks = new StepHooks()
  await using open = await OpenLibrary.open(at.programs, at.library, hooks)
  expect(await tryAll(cases, async ({ id, step, label, victim }) => {
    await begin(open, 'out', id)
    let killed: number | null | undefined
    const outcome = await hooks.during(
      async ({ index }) => {
        if (index !== step.index) return
        const { run } = await open.calls.machines.get(id)
        killed = victim === 'worker' ? run?.workerPid : run?.qemuPid
        if (typeof killed === 'number') process.kill(killed, 'SIGKILL')
      },
      () => move(open, 'out', id, label).then(() => null, (error: unknown) => error),
    )
    if (outcome !== null) expect(isRingsideError(outcome) && outcome.code !== 'INTERNAL', (outcome as Error).stack).toBe(true)
    // The host has noticed by then, and the machine has a new worker or has crashed.
    await expect.poll(async () => {
      const { run } = await open.calls.machines.get(id)
      return victim === 'QEMU' ? run === null : typeof run?.workerPid === 'number' && run.workerPid !== killed
    }).toBe(true)
    await expectSound(open, 'out', id, label, outcome === null ? 'moved' : 'cut')
  })).toEqual({})
  expect(open.defects).toEqual([])
}, 300_000)
