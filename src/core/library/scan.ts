import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isRingsideError } from '@shared/errors'
import type { LibraryProblem, MachineDefinition } from '@shared/model'
import { VersionedFile, fileError, machineFormat, problemOf, removeLeftovers } from '../config'
import { definitionPath, shortId } from './paths'
import { clearLeftover, isTemporaryName, removeMark } from './temporary-folder'

export interface FoundMachine {
  readonly folder: string
  readonly definition: MachineDefinition
}

export interface Scan {
  readonly machines: FoundMachine[]
  readonly problems: LibraryProblem[]
}

/** The definition of the machine in a folder, as a file. A link in its place is not followed. */
export function definitionFile(folder: string): VersionedFile<MachineDefinition> {
  return new VersionedFile(definitionPath(folder), machineFormat, 'refuse')
}

/** Reads every folder of a library. Whatever can't be opened becomes a problem and is left as it is. */
export async function scanLibrary(library: string): Promise<Scan> {
  const machines: FoundMachine[] = []
  const problems: LibraryProblem[] = []
  const entries = await readdir(library, { withFileTypes: true }).catch((cause: unknown) => {
    throw fileError(cause, library, 'opened')
  })
  for (const entry of entries.sort((a, b) => a.name.localeCompare(b.name))) {
    const folder = join(library, entry.name)
    if (isTemporaryName(entry.name)) {
      const problem = await leftoverProblem(folder)
      if (problem !== null) problems.push(problem)
    } else if (entry.isSymbolicLink()) {
      problems.push({
        folder,
        path: folder,
        code: 'FILE_UNREADABLE',
        message: `A machine's folder is a real folder, and this is a link: ${folder}`,
        hint: 'Move the folder itself here, or keep the whole library elsewhere by setting RINGSIDE_DATA.',
      })
    } else if (entry.isDirectory() && !entry.name.startsWith('.')) {
      try {
        const definition = await definitionFile(folder).load()
        // Tidying is no condition: a library on a read-only drive can be looked at.
        await removeLeftovers(folder).catch(() => undefined)
        await removeMark(folder).catch(() => undefined)
        machines.push({ folder, definition })
      } catch (error) {
        problems.push(noMachine(error, folder) ?? problemOf(error, folder, definitionPath(folder)))
      }
    }
  }
  return withoutTwins(machines, problems)
}

function noMachine(error: unknown, folder: string): LibraryProblem | null {
  if (!isRingsideError(error, 'FILE_NOT_FOUND')) return null
  return {
    folder,
    path: definitionPath(folder),
    code: 'DEFINITION_DAMAGED',
    message: `This folder of the library holds no machine, its machine.json is missing: ${folder}`,
    hint: 'Put the file back from a backup, or move the folder out of the library.',
  }
}

async function leftoverProblem(folder: string): Promise<LibraryProblem | null> {
  const outcome = await clearLeftover(folder).catch(() => 'unknown' as const)
  if (outcome !== 'unknown') return null
  return {
    folder,
    path: folder,
    code: 'DEFINITION_DAMAGED',
    message: `This looks like a machine that was never finished, but nothing shows that Ringside made it: ${folder}`,
    hint: 'Look into it, keep what you need, and delete it.',
  }
}

/**
 * A copied folder has the identity of its original, and the first digits of an identity name the folder of a run: only one of them can
 * be open. The original is the one whose folder has its given name.
 */
function withoutTwins(machines: FoundMachine[], problems: LibraryProblem[]): Scan {
  const byId = new Map<string, FoundMachine>()
  for (const machine of [...machines].sort((a, b) => Number(hasGivenName(b)) - Number(hasGivenName(a)))) {
    const key = shortId(machine.definition.id)
    const first = byId.get(key)
    if (first === undefined) {
      byId.set(key, machine)
      continue
    }
    problems.push({
      folder: machine.folder,
      path: definitionPath(machine.folder),
      code: 'DEFINITION_DAMAGED',
      message: `“${machine.definition.name}” in ${machine.folder} has the same id as the machine in ${first.folder}.`,
      hint: 'If it is a backup, move it out of the library. If it is to be a machine of its own, change the "id" in its machine.json to a new UUID.',
    })
  }
  return { machines: machines.filter((machine) => byId.get(shortId(machine.definition.id)) === machine), problems }
}

function hasGivenName({ folder, definition }: FoundMachine): boolean {
  return basename(folder).endsWith(`-${shortId(definition.id)}`)
}
