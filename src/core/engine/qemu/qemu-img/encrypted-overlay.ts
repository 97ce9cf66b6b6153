import { open } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import { luksHeaderBytes, luksUsedBytes, makeLuksHeader } from './luks-header'

/** Of the clusters of a layer, as in `layerOptions`. Bytes: 2 to this. */
const clusterBits = 15
const cluster = 2 ** clusterBits
/** References to clusters are counted in 16 bits. */
const countsPerBlock = cluster / 2
const headerLength = 112
const lazyRefcounts = 1n
const backingFormatExtension = 0xe2792aca
const encryptionExtension = 0x0537be77

/** An empty encrypted qcow2. */
export interface EncryptedOverlay {
  /** What its header names the image below by; null: it stands alone. */
  readonly backing: { readonly name: string; readonly format: string } | null
  readonly virtualBytes: number
  readonly key: string
}

/**
 * Writes such an image into a file that is there and empty [QEMU: docs/interop/qcow2.txt]. In order: header, table of reference counts, the one block of it, the encryption header, the first
 * table of clusters, which is empty.
 */
export async function writeEncryptedOverlay(path: string, { backing, virtualBytes, key }: EncryptedOverlay): Promise<void> {
  const l1Entries = Math.ceil(virtualBytes / (cluster * (cluster / 8)))
  const luksClusters = Math.ceil(luksHeaderBytes / cluster)
  const l1Clusters = Math.max(1, Math.ceil((l1Entries * 8) / cluster))
  const clusters = 3 + luksClusters + l1Clusters
  const name = Buffer.from(backing?.name ?? '', 'utf8')
  // QEMU's own limit of the name is 1023 bytes.
  if (clusters > countsPerBlock || name.length > 1023) throw new RingsideError('IMAGE_UNSUPPORTED', `No encrypted layer can be made for so large a disk, or for so long a path: ${path}`, { path })
  const content = Buffer.alloc((3 + luksClusters) * cluster)
  const [luksOffset, l1Offset] = [3 * cluster, (3 + luksClusters) * cluster]

  content.write('QFI\xfb', 0, 'latin1')
  content.writeUInt32BE(3, 4)
  content.writeUInt32BE(name.length, 16)
  content.writeUInt32BE(clusterBits, 20)
  content.writeBigUInt64BE(BigInt(virtualBytes), 24)
  content.writeUInt32BE(2, 32)
  content.writeUInt32BE(l1Entries, 36)
  content.writeBigUInt64BE(BigInt(l1Offset), 40)
  content.writeBigUInt64BE(BigInt(cluster), 48)
  content.writeUInt32BE(1, 56)
  content.writeBigUInt64BE(lazyRefcounts, 80)
  content.writeUInt32BE(4, 96)
  content.writeUInt32BE(headerLength, 100)
  let at = headerLength
  const extend = (type: number, data: Buffer): void => {
    content.writeUInt32BE(type, at)
    content.writeUInt32BE(data.length, at + 4)
    data.copy(content, at + 8)
    at += 8 + Math.ceil(data.length / 8) * 8
  }
  const place = Buffer.alloc(16)
  place.writeBigUInt64BE(BigInt(luksOffset))
  place.writeBigUInt64BE(BigInt(luksHeaderBytes), 8)
  if (backing !== null) extend(backingFormatExtension, Buffer.from(backing.format))
  extend(encryptionExtension, place)
  // The end of the extensions is eight zero bytes; the name comes behind.
  at += 8
  if (backing !== null) content.writeBigUInt64BE(BigInt(at), 8)
  name.copy(content, at)

  content.writeBigUInt64BE(BigInt(2 * cluster), cluster)
  for (let index = 0; index < clusters; index += 1) content.writeUInt16BE(1, 2 * cluster + index * 2)
  makeLuksHeader(key).copy(content, luksOffset)
  const file = await open(path, 'r+')
  try {
    // The rest is a hole.
    await file.write(content, 0, luksOffset + luksUsedBytes, 0)
    await file.truncate(clusters * cluster)
  } finally {
    await file.close()
  }
}

/**
 * Has an encrypted qcow2 that nobody has open name the image below it in another way. qemu-img would want its key for that.
 * @param name no longer than that which is there
 */
export async function renameBacking(path: string, name: string): Promise<void> {
  const bytes = Buffer.from(name, 'utf8')
  const file = await open(path, 'r+')
  try {
    const head = Buffer.alloc(20)
    await file.read(head, 0, head.length, 0)
    const [offset, length] = [head.readBigUInt64BE(8), head.readUInt32BE(16)]
    if (offset === 0n || bytes.length > length) throw new RingsideError('INTERNAL', `The header of the image has no room for another name: ${path}`)
    const size = Buffer.alloc(4)
    size.writeUInt32BE(bytes.length)
    // The image is read by nobody until both are written.
    await file.write(bytes, 0, bytes.length, Number(offset))
    await file.write(size, 0, size.length, 16)
    await file.sync()
  } finally {
    await file.close()
  }
}
