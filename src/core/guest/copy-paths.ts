import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, normalize, relative, sep } from 'node:path'
import { RingsideError } from '@shared/errors'
import { errnoOf, fileError } from '../config'

/** A path of the guest begins at its root: `/…`, `C:\…` or `\\server\…`. */
const guestRoot = /^(?:\/|[A-Za-z]:[\\/]|\\\\)/u

/** Names that Windows keeps for devices, whatever their ending [Microsoft: Naming Files, Paths, and Namespaces]. */
const windowsDevice = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/iu

/** Where a file of this computer goes in the guest. @throws `INVALID_INPUT` */
export function guestTarget(guestPath: string, hostPath: string): string {
  const path = requireGuestPath(guestPath)
  return /[\\/]$/u.test(path) ? `${path}${basename(hostPath)}` : path
}

/** @throws `INVALID_INPUT` for what is no absolute path of a guest */
export function requireGuestPath(path: string): string {
  if (!guestRoot.test(path)) throw new RingsideError('INVALID_INPUT', `A path of the guest begins at its root, such as /tmp/report.txt or C:\\report.txt; this one does not: ${path}`, { hint: 'Write the whole path.' })
  return path
}

/** @throws `INVALID_INPUT` for a path that is not absolute */
export function requireHostPath(path: string): string {
  if (isAbsolute(path)) return normalize(path)
  throw new RingsideError('INVALID_INPUT', `Write the whole path of the file on this computer; this one begins nowhere: ${path}`, { path })
}

export interface HostTarget {
  path: string
  folder: string
}

/**
 * Where a file of the guest goes on this computer. Only its last name is taken from what the guest calls it, and only where the person named a folder.
 * @param kept folders that Ringside alone writes to
 * @throws `INVALID_INPUT`, `FILE_NOT_FOUND`, `FILE_EXISTS`, `NOT_A_FILE`, `FILE_UNREADABLE`
 */
export async function hostTarget(wanted: string, guestPath: string, { overwrite, kept }: { overwrite: boolean; kept: readonly string[] }): Promise<HostTarget> {
  const path = requireHostPath(wanted)
  const named = /[\\/]$/u.test(wanted) || (await kindOf(path)) === 'folder' ? join(path, ownName(guestPath)) : path
  // Links of the folder are followed now, once; the name itself is never followed.
  const folder = await realpath(dirname(named)).catch((error: unknown) => { throw fileError(error, dirname(named), 'written') })
  const target = join(folder, basename(named))
  for (const keep of kept) {
    if (!isWithin(target, await realpath(keep).catch(() => keep))) continue
    throw new RingsideError('INVALID_INPUT', `Ringside keeps machines in ${keep}; a file of a guest can’t be copied there.`, { path: target, hint: 'Choose another folder.' })
  }
  const there = await kindOf(target)
  if (there === 'folder' || there === 'other') throw new RingsideError('NOT_A_FILE', `There is something that is no file already: ${target}`, { path: target, hint: 'Choose another name.' })
  if (there === 'file' && !overwrite) throw new RingsideError('FILE_EXISTS', `There is a file ${target} already.`, { path: target, hint: 'Choose another name, or say that it is to be replaced.' })
  return { path: target, folder }
}

/** The last part of a path of the guest, as a name for a file here. */
function ownName(guestPath: string): string {
  const name = guestPath.split(/[\\/]/u).at(-1) ?? ''
  const isFit = name !== '' && name !== '.' && name !== '..' && !/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(name) && Buffer.byteLength(name) <= 255
  const fitsHere = process.platform !== 'win32' || (!/[<>:"|?*]/u.test(name) && !/[. ]$/u.test(name) && !windowsDevice.test(name))
  if (isFit && fitsHere) return name
  throw new RingsideError('INVALID_INPUT', 'A file on this computer can’t have the name that it has in the guest.', { hint: 'Write the path of the file here with a name of your own.' })
}

async function kindOf(path: string): Promise<'file' | 'folder' | 'other' | null> {
  try {
    const found = await stat(path)
    return found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other'
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw fileError(error, path, 'written')
  }
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way === '' || (way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way))
}
