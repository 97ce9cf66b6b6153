import { realpath } from 'node:fs/promises'
import { relative, isAbsolute } from 'node:path'

/**
 * Why a guest may not write to a folder: the library lies in it, or it in the library, so that the guest could change what its own machine and all others are. A sentence; null: it may.
 * Links are followed; a folder that is not there lies nowhere.
 */
export async function shareFault(folder: string, library: string): Promise<string | null> {
  const [shared, machines] = await Promise.all([folder, library].map((path) => realpath(path).catch(() => null)))
  if (shared === null || shared === undefined || machines === null || machines === undefined) return null
  if (shared === machines) return `A guest that writes to Ringside’s own library could change every machine: ${folder}`
  if (holds(shared, machines)) return `Ringside’s library is in this folder; a guest that writes to it could change every machine: ${folder}`
  return holds(machines, shared) ? `This folder is in Ringside’s library; a guest that writes to it could change its own machine: ${folder}` : null
}

function holds(outer: string, inner: string): boolean {
  const way = relative(outer, inner)
  return way !== '' && !way.startsWith('..') && !isAbsolute(way)
}
