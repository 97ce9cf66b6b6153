import { cp } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, expect } from 'vitest'
import type { MachineView } from '@shared/model'
import { buildPrograms, type BuiltPrograms } from './build-worker'
import type { Operation, Tree } from './fault-operations'
import type { HostCalls } from './host-calls'
import { readCutLedger } from './ledger-guest'
import { LedgerConsole, copyMachine, ledgerMachine } from './ledger-machines'
import { OpenLibrary } from './open-library'
import { addMachines, type NewMachine } from './real-host'
import { KnownFiles, digests, ledgerOf, readDisks, readManifest, readSnapshot, strayFiles, unlisted, type Content } from './sound-machine'
import { TemporaryFolder, temporaryLibrary, type TemporaryLibrary } from './temporary-folder'

type Disks = Record<string, Buffer>
type AtRest = 'off' | 'saved'

/** The machine that all cases of faults are copies of, and what has to hold of it whatever happened. */
export class FaultMachine implements AsyncDisposable {
  /** Copies share most of their bytes. */
  readonly #files = new KnownFiles()

  private constructor(
    private readonly kept: TemporaryFolder,
    private readonly original: { id: string; name: string },
    readonly tree: Tree,
    /** What each snapshot holds, by its id. */
    private readonly snapshots: ReadonlyMap<string, Disks>,
    private readonly present: Record<AtRest, Disks>,
  ) {}

  /** Makes it, with two disks and four snapshots, by the product itself; copies of it are kept of when it is off and of when it is saved to disk. */
  static async grow(programs: BuiltPrograms): Promise<FaultMachine> {
    const kept = await TemporaryFolder.make('ringside-fault-')
    await using library = await temporaryLibrary()
    const name = 'Original'
    const [id = ''] = await addMachines(library, [throughCache(ledgerMachine(name))])
    await using open = await OpenLibrary.open(programs, library)
    const { machines, snapshots } = open.calls
    const { folder } = await machines.get(id)
    const take = async (snapshot: string): Promise<string> => (await snapshots.take(id, { name: snapshot, description: '', memory: true, quiesce: false })).id
    const write = async (): Promise<void> => {
      using console = await LedgerConsole.open(open, id)
      await console.write(4)
    }
    const present = async (): Promise<Disks> => readDisks(folder, (await machines.get(id)).definition)
    const root = await take('root')
    await machines.start(id)
    await write()
    const middle = await take('middle')
    await write()
    await machines.powerOff(id)
    const leaf = await take('leaf')
    await snapshots.revert(id, { snapshotId: middle, memory: true, keepPresent: null, start: true })
    await write()
    await machines.pause(id)
    const branch = await take('branch')
    await machines.resume(id)
    await write()
    await machines.save(id)
    await cp(folder, kept.in('saved'), { recursive: true })
    const saved = await present()
    await machines.discardSaved(id)
    await cp(folder, kept.in('off'), { recursive: true })
    const tree = { root, middle, leaf, branch }
    const contents = new Map<string, Disks>()
    for (const snapshot of Object.values(tree)) contents.set(snapshot, await readSnapshot(folder, snapshot))
    return new FaultMachine(kept, { id, name }, tree, contents, { off: await present(), saved })
  }

  /** Puts a copy into a library that no host has open, in the state that the operation begins with as far as that needs no QEMU. */
  copy(library: TemporaryLibrary, operation: Operation, name: string): Promise<string> {
    return copyMachine(library, this.kept.in(atRest(operation)), this.original, name)
  }

  /** Puts it into the state in which the operation begins. It was saved while it ran, so that nobody has to wait for its boot. */
  async prepare({ machines }: HostCalls, operation: Operation, id: string): Promise<void> {
    if (operation.state !== 'running' && operation.state !== 'paused') return
    await machines.start(id)
    if (operation.state === 'paused') await machines.pause(id)
  }

  /**
   * Everything that has to hold of a machine after an operation, whatever was done to it meanwhile; and then everything is done with it.
   * @param wasCut false: nothing was done to it, so that the operation must have been done as a whole
   */
  async expectSound(open: OpenLibrary, operation: Operation, id: string, { wasCut }: { wasCut: boolean }): Promise<void> {
    const view = await open.calls.machines.get(id)
    await this.#expectSnapshots(open, operation, view, wasCut)
    await this.#expectClones(open, operation, view, wasCut)
    const { isCut } = await this.#expectPresent(open, operation, view, wasCut)
    await this.#expectUsable(open, operation, view, isCut)
  }

  #contentOf(snapshot: string): Content {
    return digests(this.snapshots.get(snapshot) ?? {})
  }

  async #expectUsable(open: OpenLibrary, operation: Operation, { id, folder, run }: MachineView, isCut: boolean): Promise<void> {
    const { machines, snapshots } = open.calls
    if (run === null) {
      await machines.start(id)
      // Of a guest that was off, the disks were compared to the byte. One that was killed has no file system that would make its disks one again.
      if (operation.state !== 'off' && !isCut) await expectWhole(open, id)
    }
    const after = await snapshots.take(id, { name: 'after', description: '', memory: true, quiesce: false })
    const { leaf, root } = this.tree
    const target = operation.deletes?.includes('leaf') === true ? root : leaf
    await snapshots.revert(id, { snapshotId: target, memory: false, keepPresent: null, start: false })
    expect(await this.#files.contents(folder, (await machines.get(id)).definition)).toEqual(this.#contentOf(target))
    await snapshots.delete(id, after.id, { children: false })
    await this.#expectKnown(open, id, folder)
    expect(await this.#files.faults(folder)).toEqual({})
  }

  async #expectKnown(open: OpenLibrary, id: string, folder: string): Promise<void> {
    const { snapshots, problems } = await open.calls.snapshots.tree(id)
    expect(problems).toEqual([])
    for (const { id: snapshot, name } of snapshots) {
      if (this.snapshots.has(snapshot)) expect({ [name]: await this.#files.contents(folder, (await readManifest(folder, snapshot)).definition) }).toEqual({ [name]: this.#contentOf(snapshot) })
    }
  }

  /** Each snapshot that was there is there and holds what it held; a new one is whole; nothing else is in the folder that is not listed. */
  async #expectSnapshots(open: OpenLibrary, operation: Operation, { id, folder, run, definition }: MachineView, wasCut: boolean): Promise<void> {
    await this.#expectKnown(open, id, folder)
    const tree = await open.calls.snapshots.tree(id)
    const deleted = new Set(operation.deletes?.map((key) => this.tree[key]))
    const found = tree.snapshots.map((snapshot) => snapshot.id)
    for (const snapshot of this.snapshots.keys()) if (!deleted.has(snapshot)) expect(found).toContain(snapshot)
    if (!wasCut) for (const snapshot of deleted) expect(found).not.toContain(snapshot)
    for (const snapshot of tree.snapshots.filter((one) => !this.snapshots.has(one.id))) {
      expect(ledgerOf(await readSnapshot(folder, snapshot.id)).number).toBeGreaterThan(0)
      if (snapshot.memory !== null) expect(snapshot.memory.sizeBytes).toBeGreaterThan(100_000)
    }
    const stored = open.services.library.get(id).definition
    const strays = await strayFiles(folder, [stored, ...(run === null ? [] : [definition])])
    expect(unlisted(strays, tree)).toEqual([])
    if (!wasCut) expect(strays).toEqual([])
  }

  /** A clone that is there is whole. */
  async #expectClones(open: OpenLibrary, { clones: from, state }: Operation, { id }: MachineView, wasCut: boolean): Promise<void> {
    if (from === undefined) return
    const { machines } = open.calls
    const clones = (await machines.list()).filter(({ definition }) => definition.name === `Clone of ${id}`)
    if (!wasCut) expect(clones).toHaveLength(1)
    for (const clone of clones) {
      const contents = await readDisks(clone.folder, clone.definition)
      if (from !== 'present') expect(digests(contents)).toEqual(this.#contentOf(this.tree[from]))
      else if (state === 'off') expect(digests(contents)).toEqual(digests(this.present.off))
      else expect(ledgerOf(contents).number).toBeGreaterThan(0)
      await machines.start(clone.id)
      // Of an instant between two writes of one step, the disks are whole when that step has been done again.
      if (from === 'present' && state !== 'off') await writeSome(open, clone.id)
      await expectWhole(open, clone.id)
      await machines.powerOff(clone.id)
      expect(await this.#files.faults(clone.folder)).toEqual({})
      await machines.delete(clone.id, { permanently: true })
    }
  }

  /** The present is what it was or what it was to become. `isCut`: its guest wrote since, and was killed. */
  async #expectPresent(open: OpenLibrary, operation: Operation, { id, folder, run, state, definition }: MachineView, wasCut: boolean): Promise<{ isCut: boolean }> {
    if (run !== null) {
      if (state === 'paused') await open.calls.machines.resume(id)
      await expectWhole(open, id)
      return { isCut: false }
    }
    const contents = await readDisks(folder, definition)
    const target = operation.revertsTo === undefined ? undefined : this.snapshots.get(this.tree[operation.revertsTo])
    const instants = [...(wasCut || target === undefined ? [this.present[atRest(operation)]] : []), ...(target === undefined ? [] : [target])]
    const found = digests(contents)
    if (instants.some((instant) => isDeepStrictEqual(digests(instant), found))) return { isCut: false }
    const isLeftByGuest = (operation.state === 'running' || operation.state === 'paused') && instants.some((instant) => goesOnFrom(contents, instant))
    expect(isLeftByGuest, 'The disks are neither what they were nor what they were to become, with what a guest wrote since.').toBe(true)
    return { isCut: true }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kept[Symbol.asyncDispose]()
  }
}

/** Programs and the machine, for all tests of a file. */
export function useFaultMachine(): { readonly programs: BuiltPrograms; readonly machine: FaultMachine } {
  let programs: BuiltPrograms
  let machine: FaultMachine

  beforeAll(async () => {
    programs = await buildPrograms()
    machine = await FaultMachine.grow(programs)
  })

  afterAll(async () => {
    await machine[Symbol.asyncDispose]()
    await programs[Symbol.asyncDispose]()
  })

  return {
    get programs() { return programs },
    get machine() { return machine },
  }
}

/** Who waits for a disk under software emulation computes. What a process has written outlives it, in the host's cache too. */
function throughCache(machine: NewMachine): NewMachine {
  return { ...machine, definition: { ...machine.definition, disks: machine.definition?.disks?.map((disk) => ({ ...disk, cache: 'writeback' })) } }
}

function atRest({ state }: Operation): AtRest {
  return state === 'off' ? 'off' : 'saved'
}

/** The guest finds on its disks what it has in its memory. */
async function expectWhole(open: OpenLibrary, id: string): Promise<void> {
  using console = await LedgerConsole.open(open, id)
  await console.verify()
}

async function writeSome(open: OpenLibrary, id: string): Promise<void> {
  using console = await LedgerConsole.open(open, id)
  await console.write(1)
}

/** A guest that was killed leaves its disks as a power cut does. */
function goesOnFrom(contents: Disks, instant: Disks): boolean {
  try {
    for (const [disk, content] of Object.entries(contents)) readCutLedger(content, instant[disk] ?? null)
    return true
  } catch {
    return false
  }
}
