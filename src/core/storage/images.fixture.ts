/** Images of every kind for specs, as small as they can be: built here so that no binary lies in the repository. */

const sector = 2048

export interface IsoOptions {
  volumeId: string
  bios?: boolean
  uefi?: boolean
  declaredSectors?: number
}

/** An ISO 9660 volume: primary descriptor, El Torito record and boot catalogue, terminator. */
export function makeIso({ volumeId, bios = true, uefi = false, declaredSectors = 20 }: IsoOptions): Buffer {
  const image = Buffer.alloc(20 * sector)
  const descriptor = (index: number, type: number): Buffer => {
    const at = image.subarray((16 + index) * sector, (17 + index) * sector)
    at[0] = type
    at.write('CD001', 1, 'latin1')
    at[6] = 1
    return at
  }
  const primary = descriptor(0, 1)
  primary.fill(0x20, 40, 72)
  primary.write(volumeId, 40, 32, 'latin1')
  primary.writeUInt32LE(declaredSectors, 80)
  const boot = descriptor(1, 0)
  boot.write('EL TORITO SPECIFICATION', 7, 'latin1')
  boot.writeUInt32LE(19, 71)
  descriptor(2, 255)
  makeBootCatalog(bios, uefi).copy(image, 19 * sector)
  return image
}

export function makeBootCatalog(bios: boolean, uefi: boolean): Buffer {
  const catalog = Buffer.alloc(sector)
  catalog[0] = 1
  catalog[1] = bios ? 0 : 0xef
  catalog.writeUInt16LE(0xaa55, 30)
  catalog[32] = bios || uefi ? 0x88 : 0
  if (bios && uefi) {
    catalog[64] = 0x91
    catalog[65] = 0xef
    catalog.writeUInt16LE(1, 66)
    catalog[96] = 0x88
  }
  return catalog
}

export interface Qcow2Options {
  version?: number
  virtualBytes?: number
  backingFile?: string
  backingFormat?: string
  dataFile?: string
  encryption?: number
  /** The LUKS header in it, of this version. */
  luksVersion?: number
  features?: bigint
  clusterBits?: number
  /** Host offset that the one data cluster is said to lie at; 0: none. */
  dataOffset?: number
}

/** Header, level 1 table (cluster 1), one level 2 table (cluster 2), refcount table and block (3, 4) and room for data (5). */
export function makeQcow2(options: Qcow2Options = {}): Buffer {
  const { version = 3, clusterBits = 16, virtualBytes = 1024 * 1024, dataOffset = 0 } = options
  const cluster = 2 ** clusterBits
  const image = Buffer.alloc(6 * cluster)
  image.write('QFI\xfb', 0, 'latin1')
  image.writeUInt32BE(version, 4)
  image.writeUInt32BE(clusterBits, 20)
  image.writeBigUInt64BE(BigInt(virtualBytes), 24)
  image.writeUInt32BE(options.encryption ?? 0, 32)
  image.writeUInt32BE(1, 36)
  image.writeBigUInt64BE(BigInt(cluster), 40)
  image.writeBigUInt64BE(BigInt(3 * cluster), 48)
  image.writeUInt32BE(1, 56)
  image.writeBigUInt64BE((options.features ?? 0n) | (options.dataFile === undefined ? 0n : 4n), 72)
  image.writeUInt32BE(4, 96)
  image.writeUInt32BE(104, 100)
  let at = 104
  const extension = (type: number, text: string): void => {
    image.writeUInt32BE(type, at)
    image.writeUInt32BE(Buffer.byteLength(text), at + 4)
    image.write(text, at + 8)
    at += 8 + Math.ceil(Buffer.byteLength(text) / 8) * 8
  }
  if (options.backingFormat !== undefined) extension(0xe2792aca, options.backingFormat)
  if (options.dataFile !== undefined) extension(0x44415441, options.dataFile)
  if (options.luksVersion !== undefined) {
    // Full disk encryption header pointer: offset and length.
    image.writeUInt32BE(0x0537be77, at)
    image.writeUInt32BE(16, at + 4)
    image.writeBigUInt64BE(BigInt(5 * cluster), at + 8)
    image.writeBigUInt64BE(592n, at + 16)
    at += 24
    makeLuks({ version: options.luksVersion }).copy(image, 5 * cluster)
  }
  at += 8
  if (options.backingFile !== undefined) {
    image.writeBigUInt64BE(BigInt(at), 8)
    image.writeUInt32BE(Buffer.byteLength(options.backingFile), 16)
    image.write(options.backingFile, at)
  }
  if (dataOffset !== 0) {
    image.writeBigUInt64BE(BigInt(2 * cluster) | (1n << 63n), cluster)
    image.writeBigUInt64BE(BigInt(dataOffset) | (1n << 63n), 2 * cluster)
  }
  return image
}

/** A LUKS container with 2 MiB of payload, and nothing in its key slots but that some are in use. */
export function makeLuks({ version = 1, payloadSectors = 4096, activeSlots = 1 }: { version?: number; payloadSectors?: number; activeSlots?: number } = {}): Buffer {
  const image = Buffer.alloc(4 * 1024 * 1024)
  image.write('LUKS\xba\xbe', 0, 'latin1')
  image.writeUInt16BE(version, 6)
  image.writeUInt32BE(payloadSectors, 104)
  for (let slot = 0; slot < 8; slot += 1) image.writeUInt32BE(slot < activeSlots ? 0x00ac71f3 : 0x0000dead, 208 + slot * 48)
  return image
}

/** The setup header of a Linux kernel for x86, and nothing behind it. */
export function makeBzImage(): Buffer {
  const image = Buffer.alloc(4096)
  image.writeUInt16LE(0xaa55, 0x1fe)
  image.write('HdrS', 0x202, 'latin1')
  return image
}

/** A sparse VMDK's header with its descriptor inside. */
export function makeVmdk(descriptor: string, capacitySectors = 2048): Buffer {
  const image = Buffer.alloc(4096)
  image.write('KDMV', 0, 'latin1')
  image.writeUInt32LE(1, 4)
  image.writeBigUInt64LE(BigInt(capacitySectors), 12)
  image.writeBigUInt64LE(1n, 28)
  image.writeBigUInt64LE(4n, 36)
  image.write(descriptor, 512)
  return image
}

/** A sparse VMDK with one grain of data behind its tables. `atEnd`: written in one go, with a footer that tells of its tables. */
export function makeSparseVmdk({ atEnd = false } = {}): Buffer {
  const image = Buffer.concat([makeVmdk(''), Buffer.alloc(24 * 512)])
  image.writeBigUInt64LE(8n, 20)
  image.writeUInt32LE(512, 44)
  image.writeBigUInt64LE(8n, 56)
  image.writeUInt32LE(9, 8 * 512)
  image.writeUInt32LE(20, 9 * 512)
  if (!atEnd) return image
  const footer = image.subarray(0, 512)
  const stream = Buffer.concat([image, footer, Buffer.alloc(512)])
  stream.writeBigUInt64LE(2n ** 64n - 1n, 56)
  return stream
}

/** The footer of a VHD of the given disk type: 2 fixed, 3 dynamic, 4 differencing. */
export function makeVhdFooter(diskType: number, virtualBytes: number): Buffer {
  const footer = Buffer.alloc(512)
  footer.write('conectix', 0, 'latin1')
  footer.writeBigUInt64BE(BigInt(virtualBytes), 48)
  footer.writeUInt32BE(diskType, 60)
  return footer
}

export function makeVdi(imageType: number, virtualBytes: number): Buffer {
  const image = Buffer.alloc(1024)
  image.write('<<< Oracle VM VirtualBox Disk Image >>>\n', 0, 'latin1')
  image.writeUInt32LE(0xbeda107f, 0x40)
  image.writeUInt32LE(0x00010001, 0x44)
  image.writeUInt32LE(imageType, 0x4c)
  image.writeBigUInt64LE(BigInt(virtualBytes), 0x170)
  return image
}

/** A disk of 1 MiB with nothing but a master boot record. */
export function makeMbrDisk(): Buffer {
  const image = Buffer.alloc(1024 * 1024)
  image[0] = 0xfa
  image.writeUInt16LE(0xaa55, 510)
  return image
}
