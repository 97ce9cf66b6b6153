import { statfs } from 'node:fs/promises'
import { basename, sep } from 'node:path'
import type { StorageImage, StorageOverview, StoragePlace } from '@shared/model'
import { realFolder } from '../snapshot/layers'
import { type KnownImage, readCatalogue } from './catalogue'
import type { ImageContext } from './context'
import { isRemovable } from './removable'
import { obstaclesOf } from './rules'

/** All places and images, as they are shown. */
export async function readOverview(context: ImageContext): Promise<StorageOverview> {
  const { images, orphans, addedFolders, otherFolders } = await readCatalogue(context)
  const views = await Promise.all([...images.values()].map((image) => viewOf(context, image)))
  const kinds = [['library', context.libraryFolder], ['images', context.imagesFolder], ...addedFolders.map((folder) => ['added', folder] as const), ...otherFolders.map((folder) => ['elsewhere', folder] as const)] as const
  const places = await Promise.all(kinds.map(([kind, path]) => placeOf(kind, path, views)))
  return { places, images: views.sort((a, b) => b.actualBytes - a.actualBytes || a.path.localeCompare(b.path)), orphans: orphans.map((entry) => ({ ...entry, files: [...entry.files] })) }
}

async function viewOf(context: ImageContext, image: KnownImage): Promise<StorageImage> {
  const { path, owner, format, below, readers, users, fault, bytes } = image
  const virtualBytes = image.virtualBytes ?? (await context.storage.examine(path)).report.virtualBytes
  return {
    path, name: basename(path), owner: owner === null ? null : { id: owner.id, name: owner.name }, format, encrypted: image.encrypted, virtualBytes, actualBytes: bytes, below, readers: [...readers], users: [...users], fault,
    check: await context.checks.of(path), obstacles: obstaclesOf(image),
  }
}

async function placeOf(kind: StoragePlace['kind'], path: string, images: readonly StorageImage[]): Promise<StoragePlace> {
  const real = await realFolder(path)
  const inside = images.filter((image) => (kind === 'library' ? image.path.startsWith(real + sep) : image.path.slice(0, image.path.lastIndexOf(sep)) === real))
  const imageBytes = inside.reduce((sum, { actualBytes }) => sum + actualBytes, 0)
  try {
    const [{ bsize, blocks, bavail }, removable] = await Promise.all([statfs(real), isRemovable(real)])
    return { kind, path: real, removable, capacityBytes: bsize * blocks, freeBytes: bsize * bavail, imageBytes, fault: null }
  } catch (error) {
    return { kind, path: real, removable: null, capacityBytes: null, freeBytes: null, imageBytes, fault: faultOf(kind, error as NodeJS.ErrnoException) }
  }
}

/** Why a folder can't be looked at, a sentence; null for one that is made with the first image that is put there. */
function faultOf(kind: StoragePlace['kind'], { code, message }: NodeJS.ErrnoException): string | null {
  if (code !== 'ENOENT') return `It can’t be looked at: ${message}`
  return kind === 'images' ? null : 'It is not there now. If it is on a drive that can be taken out or on the network, connect that.'
}
