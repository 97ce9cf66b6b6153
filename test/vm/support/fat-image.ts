const sectorBytes = 512
const clusterBytes = 4096
const rootEntries = 512
const reservedSectors = 1

/** Where a file goes: folders and name in eight letters and an extension of three, as `EFI/BOOT/BOOTX64.EFI`. */
export interface FatFile { path: string; content: Uint8Array }

interface Folder { folders: Map<string, Folder>; files: Map<string, Uint8Array> }

/**
 * A FAT16 file system without partitions, as firmware starts from [Microsoft: FAT: General Overview of On-Disk Format].
 * @param bytes its size, 16 to 128 MiB
 */
export function fatImage(files: readonly FatFile[], bytes: number): Buffer {
  const sectors = bytes / sectorBytes
  const fatSectors = Math.ceil(((bytes / clusterBytes + 2) * 2) / sectorBytes)
  const rootAt = (reservedSectors + fatSectors) * sectorBytes
  const dataAt = rootAt + rootEntries * 32
  const image = Buffer.alloc(bytes)
  writeBootSector(image, sectors, fatSectors)
  const fatAt = reservedSectors * sectorBytes
  image.writeUInt16LE(0xfff8, fatAt)
  image.writeUInt16LE(0xffff, fatAt + 2)
  let next = 2
  /** Puts content into clusters in a row. @returns the first */
  const store = (content: Uint8Array): number => {
    const first = next
    const count = Math.max(1, Math.ceil(content.length / clusterBytes))
    image.set(content, dataAt + (first - 2) * clusterBytes)
    for (let at = first; at < first + count; at++) image.writeUInt16LE(at === first + count - 1 ? 0xffff : at + 1, fatAt + at * 2)
    next += count
    return first
  }
  const storeFolder = (folder: Folder, parent: number): number => {
    const first = next
    // Its place comes first, so that what is in it can name it.
    store(Buffer.alloc(clusterBytes))
    const entries = [entry('.', 0x10, first, 0), entry('..', 0x10, parent, 0), ...entriesOf(folder, first)]
    Buffer.concat(entries).copy(image, dataAt + (first - 2) * clusterBytes)
    return first
  }
  const entriesOf = ({ folders, files: inside }: Folder, self: number): Buffer[] => [
    ...[...folders].map(([name, folder]) => entry(name, 0x10, storeFolder(folder, self), 0)),
    ...[...inside].map(([name, content]) => entry(name, 0x20, store(content), content.length)),
  ]
  Buffer.concat(entriesOf(treeOf(files), 0)).copy(image, rootAt)
  return image
}

function treeOf(files: readonly FatFile[]): Folder {
  const root: Folder = { folders: new Map(), files: new Map() }
  for (const { path, content } of files) {
    const names = path.split('/')
    const name = names.pop() ?? ''
    let at = root
    for (const folder of names) {
      const below = at.folders.get(folder) ?? { folders: new Map(), files: new Map() }
      at.folders.set(folder, below)
      at = below
    }
    at.files.set(name, content)
  }
  return root
}

function writeBootSector(image: Buffer, sectors: number, fatSectors: number): void {
  Buffer.from([0xeb, 0x3c, 0x90]).copy(image)
  image.write('RINGSIDE', 3, 'latin1')
  image.writeUInt16LE(sectorBytes, 11)
  image.writeUInt8(clusterBytes / sectorBytes, 13)
  image.writeUInt16LE(reservedSectors, 14)
  image.writeUInt8(1, 16)
  image.writeUInt16LE(rootEntries, 17)
  image.writeUInt8(0xf8, 21)
  image.writeUInt16LE(fatSectors, 22)
  image.writeUInt16LE(32, 24)
  image.writeUInt16LE(2, 26)
  image.writeUInt32LE(sectors, 32)
  image.writeUInt8(0x80, 36)
  image.writeUInt8(0x29, 38)
  image.write('RINGSIDE   FAT16   ', 43, 'latin1')
  image.writeUInt16LE(0xaa55, 510)
}

function entry(name: string, attributes: number, cluster: number, size: number): Buffer {
  const bytes = Buffer.alloc(32)
  const [stem = '', extension = ''] = name.startsWith('.') ? [name] : name.split('.')
  bytes.write(`${stem.padEnd(8)}${extension.padEnd(3)}`, 0, 'latin1')
  bytes.writeUInt8(attributes, 11)
  // 2026-01-01
  bytes.writeUInt16LE(((2026 - 1980) << 9) | (1 << 5) | 1, 24)
  bytes.writeUInt16LE(cluster, 26)
  bytes.writeUInt32LE(size, 28)
  return bytes
}
