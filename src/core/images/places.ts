import { constants } from 'node:fs'
import { access, realpath, stat } from 'node:fs/promises'
import { isAbsolute, normalize, sep } from 'node:path'
import { RingsideError } from '@shared/errors'
import { fileError } from '../config'
import { realFolder } from '../snapshot/layers'
import type { ImageContext } from './context'

type PlaceContext = Pick<ImageContext, 'settings' | 'libraryFolder' | 'imagesFolder'>

const most = 64

/**
 * Puts a folder on the list of those whose images are shown. It has to be there now, so that a slip of the pen shows at once.
 * @throws `INVALID_INPUT`, `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `FILE_EXISTS`
 */
export async function addPlace({ settings, libraryFolder, imagesFolder }: PlaceContext, path: string): Promise<void> {
  if (!isAbsolute(path)) throw new RingsideError('INVALID_INPUT', `Write the whole path of the folder; this one begins nowhere: ${path}`, { path })
  const folder = await realpath(normalize(path)).catch((error: unknown) => { throw fileError(error, path, 'read') })
  const found = await stat(folder).catch((error: unknown) => { throw fileError(error, folder, 'read') })
  if (!found.isDirectory()) throw new RingsideError('INVALID_INPUT', `This is no folder: ${path}`, { path, hint: 'Name the folder that the images lie in.' })
  await access(folder, constants.R_OK | constants.X_OK).catch((error: unknown) => { throw fileError(error, folder, 'read') })
  const library = await realFolder(libraryFolder)
  if (folder === library || folder.startsWith(library + sep)) throw new RingsideError('FILE_EXISTS', 'The images of the library are listed already.', { path })
  const { storageFolders } = settings.get()
  const listed = await Promise.all([imagesFolder, ...storageFolders].map((known) => realFolder(known)))
  if (listed.includes(folder)) throw new RingsideError('FILE_EXISTS', `The folder is listed already: ${folder}`, { path })
  if (storageFolders.length >= most) throw new RingsideError('INVALID_INPUT', `At most ${String(most)} folders can be listed.`, { hint: 'Take one out of the list first.' })
  await settings.change({ storageFolders: [...storageFolders, folder] })
}

/** Takes a folder off the list, whether or not it is there now; nothing in it is touched. @throws `FILE_NOT_FOUND` for one that was not added */
export async function forgetPlace({ settings }: PlaceContext, path: string): Promise<void> {
  const { storageFolders } = settings.get()
  const wanted = await realFolder(normalize(path))
  const real = await Promise.all(storageFolders.map((folder) => realFolder(folder)))
  const left = storageFolders.filter((folder, index) => folder !== path && real[index] !== wanted)
  if (left.length === storageFolders.length) throw new RingsideError('FILE_NOT_FOUND', `This folder was not added to the list: ${path}`, { path, hint: 'The folders of the library and of its machines’ disks are listed by themselves.' })
  await settings.change({ storageFolders: left })
}
