import { randomBytes } from 'node:crypto'
import { lstat, open, rm } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { RingsideError } from '@shared/errors'
import { fileError, isDiskFull, syncFolder } from '../config'
import { layerOptions } from '../creation'
import { nvramLayer } from '../engine/engine'
import type { QemuImg } from '../engine/qemu'
import { diskLayerPath, nvramLayerPath } from '../library'
import type { Tops } from './definition-layers'
import { realFolder, RealPlaces } from './layers'

/** What an overlay is put upon: any qcow2, of this machine or of one that it is a linked clone of. */
export interface OverlayBase {
  /** Absolute. */
  readonly path: string
  readonly virtualBytes: number
}

/** Where the layers of a set lie, from the machine's folder. @param layer 8 hexadecimal digits */
export function layerPath(key: string, layer: string): string {
  return key === nvramLayer ? nvramLayerPath(layer) : diskLayerPath(key, layer)
}

/**
 * Makes an empty layer upon each base, all with one new layer id, and has them on the drive before it resolves; or none of them. What lies below is
 * not opened. Named are the bases by the way to them, so that a machine's folder, or a whole library, can be moved.
 * @param machineFolder of the machine that gets them; its `disks/` and `firmware/` are there
 * @param bases by disk id, or `nvramLayer`
 * @returns paths from the folder. Throws `DISK_FULL`, `FILE_UNREADABLE`, `QEMU_FAILED`
 */
export async function makeOverlays(tool: Pick<QemuImg, 'createOverlay'>, machineFolder: string, bases: Readonly<Record<string, OverlayBase>>): Promise<Tops> {
  // The way from one to the other has to be that of the real folders, which QEMU goes.
  const folder = await realFolder(machineFolder)
  const keys = Object.keys(bases)
  const layer = await freeLayer(folder, keys)
  const places = new RealPlaces()
  const made: string[] = []
  try {
    const overlays: Record<string, string> = {}
    for (const [key, base] of Object.entries(bases)) {
      const own = layerPath(key, layer)
      const path = absolute(folder, own)
      await tool.createOverlay({ path, backing: wayTo(await places.of(base.path), path), backingFormat: 'qcow2', virtualBytes: base.virtualBytes, options: layerOptions })
      made.push(path)
      overlays[key] = own
      await syncFile(path)
    }
    for (const place of new Set(made.map((path) => dirname(path)))) await syncFolder(place)
    return overlays
  } catch (error) {
    await Promise.all(made.map((path) => rm(path, { force: true }).catch(() => undefined)))
    if (isDiskFull(error)) {
      throw new RingsideError('DISK_FULL', `No space is left on the drive for new layers of the machine's disks: ${folder}`, {
        path: folder, hint: 'Free some space there, then try again; nothing was changed.',
      }, { cause: error })
    }
    throw fileError(error, folder, 'written')
  }
}

/** Removes overlays that nothing names. */
export async function removeOverlays(folder: string, overlays: Tops): Promise<void> {
  for (const own of Object.values(overlays)) await rm(absolute(folder, own), { force: true })
}

/** What a layer names another one by: the way from its own folder, forward slashes on every system. Both absolute, links resolved. */
export function wayTo(base: string, overlay: string): string {
  return relative(dirname(overlay), base).replaceAll(sep, '/')
}

/** An id that no file of these disks has. Eight digits of chance are enough but for a folder that was put together by hand. */
async function freeLayer(folder: string, keys: readonly string[]): Promise<string> {
  for (;;) {
    const layer = randomBytes(4).toString('hex')
    const taken = await Promise.all(keys.map((key) => lstat(absolute(folder, layerPath(key, layer))).then(() => true, () => false)))
    if (!taken.includes(true)) return layer
  }
}

function absolute(folder: string, own: string): string {
  return join(folder, ...own.split('/'))
}

/** Has what any process wrote to a file on the drive. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
