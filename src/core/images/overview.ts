import { statfs } from 'node:fs/promises'
import { basename, sep } from 'node:path'
import type { ErrorCode } from '@shared/errors'
import type { StorageImage, StorageOverview, StoragePlace } from '@shared/model'
import { realFolder } from '../snapshot/layers'
import { type KnownImage, readCatalogue } from './catalogue'
import type { ImageContext } from './context'
import { isRemovable } from './removable'
import { obstaclesOf } from './rules'

/** All places and images, as they are shown. */
export async function readOverview(context: ImageContext): Promise<StorageOverview> {
  const { images, orphans, addedFolders, otherFolders } = await readCatalogue(context)
  const library = await realFolder(context.libraryFolder)
  const views = await Promise.all([...images.values()].map((image) => viewOf(context, library, image)))
  const kinds = [['library', context.libraryFolder], ['images', context.imagesFolder], ...addedFolders.map((folder) => ['added', folder] as const), ...otherFolders.map((folder) => ['elsewhere', folder] as const)] as const
  const places = await Promise.all(kinds.map(([kind, path]) => placeOf(kind, path, views)))
  return { places, images: views.sort((a, b) => b.actualBytes - a.actualBytes || a.path.localeCompare(b.path)), orphans: orphans.map((entry) => ({ ...entry, files: [...entry.files] })) }
}

async function viewOf(context: ImageContext, library: string, image: KnownImage): Promise<StorageImage> {
  const { path, owner, format, below, readers, users, bytes } = image
  const looked = image.virtualBytes === null && image.fault === null && image.format !== null ? await context.storage.examine(path) : null
  const fault = image.fault ?? (looked === null ? null : faultInWords(looked.faults[0]?.code)) ?? (isBasedElsewhere(image, library) ? 'is based on a file outside the library, which is only read where you bring it in and accept that file' : null)
  return {
    path, name: basename(path), owner: owner === null ? null : { id: owner.id, name: owner.name }, format, encrypted: image.encrypted, virtualBytes: image.virtualBytes ?? looked?.report.virtualBytes ?? null, actualBytes: bytes, below, readers: [...readers], users: [...users], fault,
    check: await context.checks.of(path), obstacles: obstaclesOf({ ...image, fault }),
  }
}

function isBasedElsewhere({ owner, plugs, below }: KnownImage, library: string): boolean {
  return owner === null && plugs.length === 0 && below !== null && !below.startsWith(library + sep)
}

/** What speaks against an image of another program, as in “is damaged”; its whole sentence is told where something is to be done with it. */
function faultInWords(code: ErrorCode | undefined): string | null {
  switch (code) {
    case undefined:
    case 'KEY_REQUIRED':
      return null
    case 'IMAGE_DAMAGED':
      return 'is damaged or cut short'
    case 'BACKING_FILE_OUTSIDE':
      return 'needs a file outside its folder, which is not read'
    case 'FILE_NOT_FOUND':
      return 'needs a file that is not there'
    default:
      return 'can’t be used as it is'
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
