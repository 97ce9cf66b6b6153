import type { Dirent } from 'node:fs'
import { opendir, readFile, readdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import { RingsideError } from '@shared/errors'
import type { FolderListing } from '@shared/model'
import { fileError } from '../config'

type Entry = FolderListing['entries'][number]
type Place = FolderListing['places'][number]

/** More than a person scrolls through; typing the path leads on. */
export const entryLimit = 5000
const statsAtOnce = 64

/**
 * A folder of this computer, folders first. Hidden entries are left out; links are shown as what they lead to.
 * @param path absolute, or from the home folder with `~`; null is the home folder
 * Throws `INVALID_INPUT`, `FILE_NOT_FOUND`, `NOT_A_FILE` (a file where a folder was expected has its folder listed instead, and is named beside), `FILE_UNREADABLE`.
 */
export async function listFolder(path: string | null, libraryFolder: string, home = homedir(), limit = entryLimit): Promise<FolderListing> {
  const wanted = absolute(path, home)
  const isFile = await stat(wanted).then((found) => found.isFile(), () => false)
  const { folder, entries, more } = await readEntries(wanted, limit)
  const parent = dirname(folder)
  return {
    path: folder,
    parent: parent === folder ? null : parent,
    entries: (await describe(folder, entries)).sort(foldersFirst),
    places: await places(home, libraryFolder),
    ...(isFile ? { file: wanted } : {}),
    ...(more
      ? { note: `This folder has more than ${limit.toLocaleString('en')} entries; the rest is not shown. Type the path of a file instead.` }
      : {}),
  }
}

function absolute(path: string | null, home: string): string {
  if (path === null || path.trim() === '') return home
  if (path.includes('\0')) throw new RingsideError('INVALID_INPUT', 'A path has no zero characters.', { hint: 'Choose another folder.' })
  const expanded = path === '~' || path.startsWith('~/') ? join(home, path.slice(1)) : path
  if (!isAbsolute(expanded))
    throw new RingsideError('INVALID_INPUT', `A path has to be complete, from the root: ${path.slice(0, 200)}`, {
      hint: 'Begin it with / or ~.',
    })
  return resolve(expanded)
}

async function readEntries(folder: string, limit: number): Promise<{ folder: string; entries: Dirent[]; more: boolean }> {
  const entries: Dirent[] = []
  try {
    const found = await stat(folder)
    if (found.isFile()) return await readEntries(dirname(folder), limit)
    for await (const entry of await opendir(folder)) {
      if (entry.name.startsWith('.')) continue
      if (entries.length === limit) return { folder, entries, more: true }
      entries.push(entry)
    }
  } catch (cause) {
    throw fileError(cause, folder, 'opened')
  }
  return { folder, entries, more: false }
}

async function describe(folder: string, entries: Dirent[]): Promise<Entry[]> {
  const described: Entry[] = []
  for (let at = 0; at < entries.length; at += statsAtOnce) {
    described.push(...(await Promise.all(entries.slice(at, at + statsAtOnce).map((entry) => describeOne(folder, entry)))))
  }
  return described
}

async function describeOne(folder: string, entry: Dirent): Promise<Entry> {
  const path = join(folder, entry.name)
  try {
    const found = await stat(path)
    const kind = found.isDirectory() ? 'folder' : found.isFile() ? 'file' : 'other'
    return { name: entry.name, path, kind, bytes: kind === 'file' ? found.size : null, modifiedAt: found.mtime.toISOString() }
  } catch {
    // A link that leads nowhere, or something that may not be looked at: shown, and of no use.
    return { name: entry.name, path, kind: entry.isDirectory() ? 'folder' : 'other', bytes: null, modifiedAt: null }
  }
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })

function foldersFirst(a: Entry, b: Entry): number {
  return Number(b.kind === 'folder') - Number(a.kind === 'folder') || collator.compare(a.name, b.name)
}

/** Where people keep images: home, downloads, the library, and drives that are plugged in. */
async function places(home: string, libraryFolder: string): Promise<Place[]> {
  const candidates: Place[] = [
    { name: 'Home', path: home },
    { name: 'Downloads', path: join(home, 'Downloads') },
    { name: 'Desktop', path: join(home, 'Desktop') },
    { name: 'Machines', path: libraryFolder },
    ...(await drives()),
  ]
  const there = await Promise.all(
    candidates.map((place) =>
      stat(place.path).then(
        (found) => found.isDirectory(),
        () => false,
      ),
    ),
  )
  return candidates.filter((_, index) => there[index])
}

async function drives(): Promise<Place[]> {
  if (process.platform === 'win32') return [...'CDEFGHIJKLMNOPQRSTUVWXYZ'].map((letter) => ({ name: `${letter}:`, path: `${letter}:\\` }))
  const root: Place = { name: 'Computer', path: '/' }
  if (process.platform === 'darwin') {
    const names = await readdir('/Volumes').catch(() => [])
    return [root, ...names.map((name) => ({ name, path: join('/Volumes', name) }))]
  }
  const mounts = await readFile('/proc/self/mounts', 'utf8').catch(() => '')
  return [root, ...mountedDrives(mounts)]
}

/** Pure: the mounts of /proc/self/mounts (fstab(5) form) that are a person's drives and not the system's. */
export function mountedDrives(mounts: string): Place[] {
  return mounts.split('\n').flatMap((line) => {
    const path = line.split(' ')[1]?.replace(/\\([0-7]{3})/gu, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    return path !== undefined && /^\/(media|mnt|run\/media)\/./u.test(path) ? [{ name: basename(path), path }] : []
  })
}
