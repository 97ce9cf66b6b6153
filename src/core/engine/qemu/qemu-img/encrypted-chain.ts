import { realpath } from 'node:fs/promises'
import { dirname, isAbsolute, resolve } from 'node:path'
import { RingsideError } from '@shared/errors'
import { DiskFormat } from '@shared/model'
import { FileSource } from '../../../storage/byte-source'
import { readQcow2Header } from '../../../storage/qcow2'
import { diskKeyId } from '../argv/node-names'
import type { JsonObject } from '../qmp/qmp-types'

/** One image of a chain. */
export interface ChainImage {
  /** Absolute, links resolved. */
  readonly path: string
  readonly format: DiskFormat
  readonly encrypted: boolean
}

const longestChain = 1024

/** An encrypted qcow2 and all that it reads from, the nearest first; null for any image that is not encrypted. Throws `IMAGE_UNSUPPORTED`, `FILE_UNREADABLE`. */
export async function encryptedChain(path: string): Promise<ChainImage[] | null> {
  const chain: ChainImage[] = []
  let current: { path: string; format: DiskFormat } | null = { path: await realpath(path).catch(() => path), format: 'qcow2' }
  while (current !== null) {
    const { encrypted, backing }: Awaited<ReturnType<typeof look>> = current.format === 'qcow2' ? await look(current.path) : { encrypted: false, backing: null }
    if (chain.length === 0 && !encrypted) return null
    chain.push({ ...current, encrypted })
    if (chain.length > longestChain) throw new RingsideError('IMAGE_UNSUPPORTED', `The image is based on a chain of more than ${String(longestChain)} images: ${path}`, { path })
    current = backing
  }
  return chain
}

/** What qemu-img is told in place of a file name, so that it opens every image of the chain with its key. */
export function chainSpec(chain: readonly ChainImage[]): JsonObject {
  return chain.toReversed().reduce<JsonObject | null>((backing, image) => ({ ...singleSpec(image), ...(image.format === 'qcow2' ? { backing } : {}) }), null) ?? {}
}

/** The same of one image, for commands that open nothing below it. */
export function singleSpec(image: ChainImage): JsonObject {
  return { ...imageSpec(image), file: { driver: 'file', filename: image.path } }
}

/** The same of an image from elsewhere that has a passphrase of its own: LUKS in qcow2, or, of `raw`, a LUKS container. Throws `IMAGE_UNSUPPORTED` for what is not encrypted. */
export async function foreignSpec(path: string, format: DiskFormat): Promise<JsonObject> {
  if (format === 'raw') return { driver: 'luks', 'key-secret': diskKeyId, file: { driver: 'file', filename: path } }
  const chain = format === 'qcow2' ? await encryptedChain(path) : null
  if (chain === null) throw new RingsideError('IMAGE_UNSUPPORTED', `The image is not encrypted, so that no passphrase opens it: ${path}`, { path, hint: 'Leave the passphrase out.' })
  return chainSpec(chain)
}

/** Driver and key of one image. */
export function imageSpec({ format, encrypted }: Pick<ChainImage, 'format' | 'encrypted'>): JsonObject & { driver: string } {
  return { driver: format, ...(encrypted ? { encrypt: { format: 'luks', 'key-secret': diskKeyId } } : {}) }
}

async function look(path: string): Promise<{ encrypted: boolean; backing: { path: string; format: DiskFormat } | null }> {
  await using source = await FileSource.open(path)
  const read = await readQcow2Header(source)
  // Whatever it is, qemu-img says it better.
  if (!('header' in read)) return { encrypted: false, backing: null }
  const { encryption, backingFile, backingFormat } = read.header
  const format = DiskFormat.safeParse(backingFormat)
  if (backingFile === null) return { encrypted: encryption === 'LUKS', backing: null }
  if (!format.success || (/^[A-Za-z][A-Za-z0-9+.-]+:/u.test(backingFile) && !isAbsolute(backingFile))) {
    throw new RingsideError('IMAGE_UNSUPPORTED', `The image is based on something that is no file of a known format: ${path}`, { path })
  }
  const target = resolve(dirname(path), backingFile)
  return { encrypted: encryption === 'LUKS', backing: { path: await realpath(target).catch(() => target), format: format.data } }
}
