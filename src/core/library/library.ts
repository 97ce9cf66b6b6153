import { lstat, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { invalidInput, messageOf, RingsideError } from '@shared/errors'
import { type LibraryProblem, MachineDefinition } from '@shared/model'
import type { Disposer, MachineLibrary, StoredMachine } from '../app/services'
import { errnoOf, fileError, isDiskFull, makeFolder, syncFolder } from '../config'
import { externalFiles, filesBelow } from './delete-plan'
import { type MachineFiles, machineFolderName, machinePaths, shortId, temporaryFolderName } from './paths'
import { definitionFile, scanLibrary } from './scan'
import { makeTemporaryFolder, markTemporary, removeMark } from './temporary-folder'

export interface LibraryOptions {
  /** Holds one folder per machine; made when it is not there. */
  readonly folder: string
  readonly runtimeRoot: string
  /** Moves a folder to the system's trash or throws; null where there is none. */
  readonly trash: ((path: string) => Promise<void>) | null
  /** Problems from beside the machines that people should see in the same place, such as damaged settings. */
  readonly otherProblems?: () => LibraryProblem[]
}

/** A machine as it lies on disk, with all paths of its files. */
export interface FolderMachine extends StoredMachine {
  readonly paths: MachineFiles
}

type Change = { type: 'changed' | 'removed'; id: string } | { type: 'problems' }

/** The machines of a folder. Opened by the one host that holds the library's lock. */
export class FolderLibrary implements MachineLibrary {
  readonly #machines = new Map<string, FolderMachine>()
  readonly #listeners = new Set<(change: Change) => void>()
  /** Names that are being written: taken, though not on disk yet. */
  readonly #reserved = new Map<string, string>()
  readonly #lastChange = new Map<string, Promise<unknown>>()
  #problems: LibraryProblem[] = []

  private constructor(private readonly options: LibraryOptions) {}

  /** Reads the library. Machines that can't be opened are listed as problems; leftovers of Ringside's own are cleared away. */
  static async open(options: LibraryOptions): Promise<FolderLibrary> {
    const library = new FolderLibrary(options)
    await makeFolder(options.folder)
    const { machines, problems } = await scanLibrary(options.folder)
    library.#problems = problems
    for (const { folder, definition } of machines) library.#machines.set(definition.id, library.#stored(definition, folder))
    return library
  }

  list(): FolderMachine[] {
    return [...this.#machines.values()].sort(
      (a, b) => a.definition.name.localeCompare(b.definition.name) || a.definition.id.localeCompare(b.definition.id),
    )
  }

  get(id: string): FolderMachine {
    const machine = this.#machines.get(id)
    if (machine === undefined) {
      throw new RingsideError('NOT_FOUND', `There is no machine with the id ${id.slice(0, 64)} in the library.`, {
        hint: 'It may have been deleted; look at the list again.',
      })
    }
    return machine
  }

  problems(): LibraryProblem[] {
    return [...(this.options.otherProblems?.() ?? []), ...this.#problems]
  }

  async add(definition: MachineDefinition, prepare: (paths: MachineFiles) => Promise<void>): Promise<FolderMachine> {
    const wanted = validated(definition)
    if (this.#machines.has(wanted.id) || this.#reserved.has(wanted.id)) {
      throw new RingsideError('INVALID_INPUT', `There is a machine with the id ${wanted.id} already.`, {
        hint: 'Try again; a new id is drawn each time.',
      })
    }
    this.#assertFree(wanted)
    this.#reserved.set(wanted.id, wanted.name)
    const temporary = join(this.options.folder, temporaryFolderName(wanted.id))
    const folder = join(this.options.folder, machineFolderName(wanted.name, wanted.id))
    try {
      await makeTemporaryFolder(temporary)
      try {
        const paths = this.#paths(temporary, wanted.id)
        for (const part of [paths.disksFolder, paths.firmwareFolder, paths.logsFolder]) await mkdir(part, { mode: 0o700 })
        await prepare(paths)
        await definitionFile(temporary).save(wanted)
        await assertAbsent(folder)
        await rename(temporary, folder)
      } catch (error) {
        await rm(temporary, { recursive: true, force: true })
        throw error
      }
    } catch (error) {
      throw fileError(error, folder, 'written')
    } finally {
      this.#reserved.delete(wanted.id)
    }
    // The machine is whole from here on; a mark that stays is taken away at the next start.
    await syncFolder(this.options.folder).catch(() => undefined)
    await removeMark(folder).catch(() => undefined)
    const machine = this.#stored(wanted, folder)
    this.#machines.set(wanted.id, machine)
    this.#tell({ type: 'changed', id: wanted.id })
    return machine
  }

  /**
   * The change starts from what is on disk now, so that an edit by hand is kept, and a definition that was damaged meanwhile is refused.
   * Throws `NOT_FOUND`, `NAME_TAKEN`, `INVALID_INPUT`, `DEFINITION_DAMAGED`, `DEFINITION_NEWER`, `DISK_FULL`.
   */
  update(id: string, change: (definition: MachineDefinition) => MachineDefinition): Promise<FolderMachine> {
    return this.#inTurn(id, async () => {
      const { paths } = this.get(id)
      const file = definitionFile(paths.folder)
      const current = await file.load()
      if (current.id !== id) {
        throw new RingsideError('DEFINITION_DAMAGED', `The id in this file was changed while Ringside was running: ${paths.definition}`, {
          path: paths.definition,
          hint: 'Put the old id back, or start Ringside anew.',
        })
      }
      const wanted = validated({
        ...change(current),
        id,
        schemaVersion: current.schemaVersion,
        createdAt: current.createdAt,
        createdBy: current.createdBy,
      })
      this.#assertFree(wanted)
      // Taken from now on: another machine may be given the same name while this is written.
      this.#reserved.set(id, wanted.name)
      try {
        await file.save(wanted)
      } finally {
        this.#reserved.delete(id)
      }
      const machine = this.#stored(wanted, paths.folder)
      this.#machines.set(id, machine)
      this.#tell({ type: 'changed', id })
      return machine
    })
  }

  async deletePlan(id: string): ReturnType<MachineLibrary['deletePlan']> {
    const { definition, paths } = this.get(id)
    const deletes = await filesBelow(paths.folder).catch((cause: unknown) => {
      throw fileError(cause, paths.folder, 'read')
    })
    const bytes = deletes.reduce((sum, file) => sum + file.bytes, 0)
    return { folder: paths.folder, bytes, deletes, keeps: externalFiles(definition), toTrash: this.options.trash !== null }
  }

  remove(id: string, options: { permanently: boolean }): Promise<{ trashed: boolean }> {
    return this.#inTurn(id, async () => {
      const { definition, paths } = this.get(id)
      if (options.permanently) await this.#erase(paths.folder, id)
      else await this.#moveToTrash(paths.folder, definition.name)
      this.#machines.delete(id)
      this.#tell({ type: 'removed', id })
      return { trashed: !options.permanently }
    })
  }

  onChange(listener: (change: Change) => void): Disposer {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async #moveToTrash(folder: string, name: string): Promise<void> {
    const hint = 'Delete it permanently instead; that can’t be undone.'
    if (this.options.trash === null) {
      throw new RingsideError('CAPABILITY_MISSING', `“${name}” can't be moved to the trash: this system has none.`, { path: folder, hint })
    }
    try {
      await this.options.trash(folder)
      await assertAbsent(folder)
    } catch (cause) {
      const reason = messageOf(cause)
      throw new RingsideError(
        'CAPABILITY_MISSING',
        `“${name}” can't be moved to the trash, it is left as it is: ${folder} (${reason})`,
        { path: folder, hint },
        { cause },
      )
    }
  }

  /** The first step is one rename: from then on the machine is gone, and what a power cut leaves is cleared at the next start. */
  async #erase(folder: string, id: string): Promise<void> {
    const doomed = join(this.options.folder, temporaryFolderName(id))
    try {
      // On a full drive there is no room for the mark, and this is what makes room. Cut off then, the rest is shown as a leftover.
      await markTemporary(folder).catch((error: unknown) => {
        if (!isDiskFull(error)) throw error
      })
      await rename(folder, doomed)
    } catch (cause) {
      await removeMark(folder)
      throw fileError(cause, folder, 'removed')
    }
    try {
      await rm(doomed, { recursive: true, maxRetries: 3 })
    } catch (cause) {
      this.#problems.push({
        folder: doomed,
        path: doomed,
        code: 'FILE_UNREADABLE',
        message: `Some files of a deleted machine could not be removed: ${doomed} (${messageOf(cause)})`,
        hint: 'Delete this folder by hand; Ringside tries again when it starts.',
      })
      this.#tell({ type: 'problems' })
    }
  }

  #stored(definition: MachineDefinition, folder: string): FolderMachine {
    return { definition, paths: this.#paths(folder, definition.id) }
  }

  #paths(folder: string, id: string): MachineFiles {
    return machinePaths(folder, this.options.runtimeRoot, id)
  }

  /** Names are compared without regard to case; the short form of an id names folders, so it has to be free as well. */
  #assertFree(wanted: MachineDefinition): void {
    const others = [...this.#machines.values()].map(({ definition }) => [definition.id, definition.name] as const)
    for (const [id, name] of [...others, ...this.#reserved]) {
      if (id === wanted.id) continue
      if (shortId(id) === shortId(wanted.id)) {
        throw new RingsideError('INVALID_INPUT', `The id ${wanted.id} is too much like that of “${name}”.`, {
          hint: 'Try again; a new id is drawn each time.',
        })
      }
      if (sameName(name, wanted.name)) {
        throw new RingsideError('NAME_TAKEN', `A machine named “${name}” exists already; choose another name.`, {
          hint: 'Names are compared without regard to upper and lower case.',
        })
      }
    }
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change)
  }

  /** One change of a machine after the other. */
  #inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const done = (this.#lastChange.get(id) ?? Promise.resolve()).then(work)
    const settled = done
      .catch(() => undefined)
      .then(() => {
        if (this.#lastChange.get(id) === settled) this.#lastChange.delete(id)
      })
    this.#lastChange.set(id, settled)
    return done
  }
}

export function sameName(a: string, b: string): boolean {
  const plain = (name: string): string => name.trim().normalize('NFC').toLocaleLowerCase()
  return plain(a) === plain(b)
}

function validated(definition: MachineDefinition): MachineDefinition {
  const parsed = MachineDefinition.safeParse(definition)
  if (parsed.success) return parsed.data
  throw invalidInput(
    parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message, severity: 'error' as const })),
  )
}

async function assertAbsent(path: string): Promise<void> {
  try {
    await lstat(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return
    throw error
  }
  throw new RingsideError('FILE_EXISTS', `There is something at this path already: ${path}`, { path, hint: 'Move it away and try again.' })
}
