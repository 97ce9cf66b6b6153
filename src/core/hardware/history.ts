import { lstat, readdir, rm } from 'node:fs/promises'
import { z } from 'zod'
import { RingsideError } from '@shared/errors'
import type { HardwareVersion, MachineDefinition } from '@shared/model'
import type { StoredMachine } from '../app/services'
import { errnoOf, type FileFormat, fileError, makeFolder, parseVersioned, readOwnFile, StoredDefinition, writeAtomically } from '../config'
import { versionPath } from '../library/paths'
import { compareDefinitions } from '../snapshot/compare'

/** How many earlier forms a machine keeps. */
export const keptVersions = 100

const EarlierHardware = z.object({
  schemaVersion: z.literal(1),
  /** ISO 8601, UTC: when it was replaced. */
  until: z.iso.datetime(),
  definition: StoredDefinition,
})
type EarlierHardware = z.infer<typeof EarlierHardware>

/** A file of `history/`. */
export const earlierHardwareFormat: FileFormat<EarlierHardware> = { title: 'The record of earlier hardware', version: 1, schema: EarlierHardware, migrations: {} }

/** Names are instants, so that their order is that of time. */
const versionName = /^\d{8}T\d{9}Z\.json$/u

/**
 * Keeps the definition of a machine before it is replaced. The oldest beyond the limit go.
 * Throws `DISK_FULL` or `FILE_UNREADABLE`.
 */
export async function rememberDefinition({ definition, paths: { historyFolder } }: StoredMachine): Promise<void> {
  await requireFolder(historyFolder)
  await makeFolder(historyFolder)
  const names = await versionNames(historyFolder)
  const newest = names[0]
  let at = new Date()
  // Two within a millisecond, or a clock that was put back.
  if (newest !== undefined && nameOf(at) <= newest) at = new Date(instantOf(newest).getTime() + 1)
  const record: EarlierHardware = { schemaVersion: 1, until: at.toISOString(), definition }
  await writeAtomically(versionPath(historyFolder, nameOf(at).slice(0, -'.json'.length)), `${JSON.stringify(record, null, 2)}\n`)
  for (const name of names.slice(keptVersions - 1)) await rm(versionPath(historyFolder, name.slice(0, -'.json'.length)), { force: true }).catch(() => undefined)
}

/**
 * Earlier forms of a machine's hardware, newest first, with what differs from now in words.
 * @param skipped told of each that can't be understood; it is left as it is
 */
export async function readHistory({ definition, paths: { historyFolder } }: StoredMachine, skipped: (path: string, why: string) => void): Promise<HardwareVersion[]> {
  const names = (await isFolder(historyFolder)) ? await versionNames(historyFolder) : []
  const read = await Promise.all(names.slice(0, keptVersions).map(async (name): Promise<HardwareVersion | null> => {
    const id = name.slice(0, -'.json'.length)
    try {
      const { until, definition: then } = await load(historyFolder, id)
      return { id, until, differences: compareDefinitions(then, definition) }
    } catch (error) {
      skipped(versionPath(historyFolder, id), (error as Error).message)
      return null
    }
  }))
  return read.filter((version) => version !== null)
}

/** Throws `NOT_FOUND`, or what keeps it from being understood. */
export async function readVersion({ definition, paths: { historyFolder } }: StoredMachine, id: string): Promise<MachineDefinition> {
  if (versionName.test(`${id}.json`) && (await isFolder(historyFolder)) && (await versionNames(historyFolder)).includes(`${id}.json`)) return (await load(historyFolder, id)).definition
  throw new RingsideError('NOT_FOUND', `“${definition.name}” has no earlier hardware with the id ${id}.`, { hint: 'The list of its history tells which there are.' })
}

async function load(historyFolder: string, id: string): Promise<EarlierHardware> {
  const path = versionPath(historyFolder, id)
  return parseVersioned(earlierHardwareFormat, await readOwnFile(path), path)
}

/** Newest first. */
async function versionNames(historyFolder: string): Promise<string[]> {
  const names = await readdir(historyFolder).catch((error: unknown) => {
    throw fileError(error, historyFolder, 'read')
  })
  return names.filter((name) => versionName.test(name)).sort().reverse()
}

async function requireFolder(historyFolder: string): Promise<void> {
  const found = await lstat(historyFolder).catch(() => null)
  if (found === null || found.isDirectory()) return
  throw new RingsideError('FILE_EXISTS', `Earlier hardware belongs here, and this is no folder: ${historyFolder}`, { path: historyFolder, hint: 'Move it away and try again.' })
}

async function isFolder(path: string): Promise<boolean> {
  const found = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw fileError(error, path, 'read')
    return null
  })
  return found?.isDirectory() === true
}

function nameOf(at: Date): string {
  return `${at.toISOString().replaceAll(/[-:.]/gu, '')}.json`
}

function instantOf(name: string): Date {
  const [, year, month, day, hour, minute, second, ms] = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z/u.exec(name) ?? []
  const found = new Date(`${String(year)}-${String(month)}-${String(day)}T${String(hour)}:${String(minute)}:${String(second)}.${String(ms)}Z`)
  return Number.isNaN(found.getTime()) ? new Date() : found
}
