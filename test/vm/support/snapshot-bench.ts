import { readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { MachineView, Snapshot, SnapshotTree } from '@shared/model'
import { newDiskOptions } from '@core/creation'
import { SnapshotService } from '@core/snapshot'
import { assembleCounterDisk } from './counter-guest'
import { OpenLibrary } from './open-library'
import { addMachines, type NewMachine } from './real-host'
import { SerialSession } from './serial-session'
import { checkImages, readDisks, readSnapshot } from './sound-machine'
import { StepHooks } from './step-hooks'
import { qemuImg, qemuIo } from './storage-host'
import type { TestLibrary } from './test-library'

export const MiB = 2 ** 20
export const taking = { description: '', memory: true, quiesce: false }
export const reverting = { memory: true, keepPresent: null, start: true }

/** A machine that counts, with a second disk that tests write to while it is off. */
export const counting: NewMachine = {
  name: 'Counter',
  definition: {
    disks: ['disk0', 'data'].map((id) => ({ id, image: { kind: 'own' as const, path: `disks/${id}.qcow2` }, format: 'qcow2' as const, bus: 'sata' as const })),
  },
  async prepare({ disksFolder }) {
    const raw = join(disksFolder, 'content')
    await writeFile(raw, assembleCounterDisk())
    await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', '-o', newDiskOptions.join(','), raw, join(disksFolder, 'disk0.qcow2'))
    await rm(raw)
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', newDiskOptions.join(','), join(disksFolder, 'data.qcow2'), String(16 * MiB))
  },
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'

/** One machine in an open library, and what tests do with it. */
export class SnapshotBench implements AsyncDisposable {
  #marks = 0

  private constructor(private readonly at: TestLibrary, readonly open: OpenLibrary, readonly id: string) {}

  static async set(at: TestLibrary, machine: NewMachine = counting, hooks?: StepHooks): Promise<SnapshotBench> {
    const [id = ''] = await addMachines(at.library, [machine])
    return new SnapshotBench(at, await OpenLibrary.open(at.programs, at.library, hooks), id)
  }

  /** The next host of the same library. */
  async reopen(): Promise<SnapshotBench> {
    await this.open.close()
    const next = new SnapshotBench(this.at, await OpenLibrary.open(this.at.programs, this.at.library), this.id)
    next.#marks = this.#marks
    return next
  }

  get machines(): OpenLibrary['calls']['machines'] {
    return this.open.calls.machines
  }

  get snapshots(): OpenLibrary['calls']['snapshots'] {
    return this.open.calls.snapshots
  }

  get(): Promise<MachineView> {
    return this.machines.get(this.id)
  }

  tree(): Promise<SnapshotTree> {
    return this.snapshots.tree(this.id)
  }

  take(name: string, changes: Partial<typeof taking> = {}): Promise<Snapshot> {
    return this.snapshots.take(this.id, { ...taking, ...changes, name })
  }

  revert(snapshotId: string, changes: { memory?: boolean; keepPresent?: string | null; start?: boolean } = {}): Promise<void> {
    return this.snapshots.revert(this.id, { ...reverting, ...changes, snapshotId })
  }

  delete(snapshotId: string, children = false): Promise<{ freedBytes: number }> {
    return this.snapshots.delete(this.id, snapshotId, { children })
  }

  /** Writes a MiB of one byte at each place of the second disk. */
  async write(byte: number, ...places: number[]): Promise<void> {
    const { definition, folder } = await this.get()
    const image = definition.disks[1]?.image
    await qemuIo(join(folder, image?.kind === 'own' ? image.path : ''), places.map((place) => `write -q -P ${String(byte)} ${String(place)}M 1M`))
  }

  /** The first byte of each MiB of the second disk now. */
  async read(): Promise<number[]> {
    const { definition, folder } = await this.get()
    return bytesOf((await readDisks(folder, definition))['data'])
  }

  async readSnapshot(id: string): Promise<number[]> {
    return bytesOf((await readSnapshot((await this.get()).folder, id))['data'])
  }

  async files(part: string): Promise<string[]> {
    return (await readdir(join((await this.get()).folder, part)).catch(() => [])).toSorted()
  }

  /** A number above the given one that the guest counts from now on. */
  async counts(above = -1): Promise<number> {
    const stream = await this.open.openConsole(this.id, 'serial')
    using session = new SerialSession(stream)
    try {
      // A console opens with what was printed before; what is typed comes back, and a letter that was not typed before is a mark.
      const letter = letters[this.#marks++] ?? ''
      session.send(letter)
      await session.waitFor(`<${letter}>`)
      for (;;) {
        const count = Number(/n=(\d{6})\r\n/u.exec(await session.waitFor(/n=\d{6}\r\n/u))?.[1])
        if (count > above) return count
      }
    } finally {
      stream.destroy()
    }
  }

  /** Until nothing is done any more that nobody waits for. */
  async idle(): Promise<void> {
    await (this.open.services.snapshots as SnapshotService).idle()
  }

  async sound(): Promise<void> {
    expect(await checkImages((await this.get()).folder)).toEqual({})
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.open[Symbol.asyncDispose]()
  }
}

export function bytesOf(content: Buffer | undefined): number[] {
  return Array.from({ length: 16 }, (_, place) => content?.[place * MiB] ?? -1)
}

/** What `read` tells where only these places were written to. */
export function places(values: Record<number, number>): number[] {
  return Array.from({ length: 16 }, (_, place) => values[place] ?? 0)
}

export const shape = (tree: SnapshotTree): string[] => tree.snapshots.map(({ name, parentId }) => `${name} < ${tree.snapshots.find(({ id }) => id === parentId)?.name ?? '-'}`)

/** Cancels work at each of its steps in turn, each time anew, until it comes to its end. */
export async function cancelEverywhere(hooks: StepHooks, work: (signal: AbortSignal) => Promise<unknown>, after: (wasDone: boolean, step: string) => Promise<void>): Promise<number> {
  for (let wanted = 0; ; wanted += 1) {
    const abort = new AbortController()
    let step = ''
    const error: unknown = await hooks.during(({ index, name }) => {
      if (index !== wanted) return
      step = name
      abort.abort()
    }, () => work(abort.signal)).then(() => null, (thrown: unknown) => thrown)
    if (error !== null) expect(error, step).toMatchObject({ code: 'CANCELLED' })
    await after(error === null, step)
    if (step === '') return wanted
  }
}

/** Three levels deep with branches; the present goes on from B2. What each position holds is written beside, over and across what lies below. */
export async function grow(bench: SnapshotBench): Promise<Map<string, { snapshot: Snapshot; holds: number[] }>> {
  const grown = new Map<string, { snapshot: Snapshot; holds: number[] }>()
  const keep = async (name: string): Promise<Snapshot> => {
    const holds = await bench.read()
    const snapshot = await bench.take(name)
    grown.set(name, { snapshot, holds })
    return snapshot
  }
  await bench.write(1, 0, 1, 2, 3)
  const root = await keep('Root')
  await bench.write(2, 1, 4)
  const a = await keep('A')
  await bench.write(3, 2, 5)
  await keep('A1')
  await bench.revert(a.id, { start: false })
  await bench.write(4, 2, 6)
  await keep('A2')
  await bench.revert(root.id, { start: false })
  await bench.write(5, 3, 7)
  await keep('B')
  await bench.write(6, 3, 8)
  await keep('B2')
  await bench.write(7, 0, 9)
  return grown
}
