import type { Disk, DiskFormat } from '@shared/model'
import type { JsonObject } from '../qmp/qmp-types'
import type { ArgumentList } from './argument-list'
import type { ArgvInput, ImageFacts } from './input'
import { baseNode, diskKeyId, driveNode, fileNode, nvramNode } from './node-names'

/** Options of one node, as `-blockdev` and `blockdev-add` take them. */
export type BlockNode = JsonObject & { driver: string; 'node-name': string }

/** Formats in which an image can name another one to read from; QEMU is told outright what lies behind each. */
const layered: readonly DiskFormat[] = ['qcow2', 'vmdk']

interface Access { cache: JsonObject; aio: 'io_uring' | 'native' | 'threads' }

/**
 * How the host reads and writes the file. Direct I/O keeps the guest's data from lying in memory twice and makes its flushes honest;
 * Linux AIO is only asynchronous with it, io_uring always is [docs/system/qemu-block-drivers].
 */
export function chooseAccess(disk: Pick<Disk, 'cache' | 'aio'>, facts: Pick<ImageFacts, 'directIo'>, features: Record<string, boolean>): Access {
  const direct = disk.cache !== 'writeback' && facts.directIo
  const cache = { direct, 'no-flush': false }
  if (disk.aio === 'threads' || (disk.aio === 'native' && !direct)) return { cache, aio: 'threads' }
  if (disk.aio !== 'auto') return { cache, aio: disk.aio }
  if (features['ioUring'] === true) return { cache, aio: 'io_uring' }
  return { cache, aio: direct && features['linuxAio'] === true ? 'native' : 'threads' }
}

/** The nodes of one disk: a protocol and a format node per image of the chain, the last with an explicit end. The top one is named as the disk. */
export function addDiskNodes(list: ArgumentList, disk: Disk, facts: ImageFacts, { qemu }: Pick<ArgvInput, 'qemu'>): void {
  const top = driveNode(disk.id)
  if (disk.aio === 'native' && !chooseAccess(disk, facts, qemu.features).cache['direct']) list.note(`The disk “${disk.id}” is read and written by threads: Linux AIO needs direct access to the file, past the host’s cache.`)
  const below = addBackingNodes(list, top, facts, { ...chooseAccess(disk, facts, qemu.features) }, disk.encrypted)
  for (const node of topNodes(disk, facts, qemu.features, top, below)) list.blockdev(node)
}

/** File and format node of the layer that the guest writes to. @param below name of the format node that it reads from, or null */
export function topNodes(disk: Disk, facts: Pick<ImageFacts, 'path' | 'driver' | 'directIo'>, features: Record<string, boolean>, name: string, below: string | null): BlockNode[] {
  const access = chooseAccess(disk, facts, features)
  const discard: JsonObject = disk.discard && !disk.readOnly ? { discard: 'unmap' } : { discard: 'ignore' }
  const shared: JsonObject = { 'read-only': disk.readOnly, ...discard, cache: access.cache }
  return [
    { driver: facts.driver, 'node-name': fileNode(name), filename: facts.path, ...shared, aio: access.aio },
    {
      driver: disk.format, 'node-name': name, file: fileNode(name), ...shared,
      'detect-zeroes': zeroesOf(disk),
      ...keyOf(disk),
      ...backingOf(disk.format, below),
    },
  ]
}

/** How an encrypted layer is opened; all layers of an encrypted disk are. */
function keyOf({ encrypted }: Pick<Disk, 'encrypted'>): JsonObject {
  return encrypted ? { encrypt: { format: 'luks', 'key-secret': diskKeyId } } : {}
}

/** What becomes of zeroes that the guest writes: holes, as by its TRIM, where nothing else is asked for. QEMU makes no holes where TRIM is not passed on. */
function zeroesOf({ detectZeroes, discard, readOnly }: Disk): 'off' | 'on' | 'unmap' {
  const trims = discard && !readOnly
  if (readOnly) return 'off'
  if (detectZeroes === 'auto') return trims ? 'unmap' : 'off'
  return detectZeroes === 'unmap' && !trims ? 'on' : detectZeroes
}

/** File and format node of the UEFI variables that the guest writes to. */
export function nvramNodes(path: string, name: string, below: string | null): BlockNode[] {
  return [
    { driver: 'file', 'node-name': fileNode(name), filename: path },
    { driver: 'qcow2', 'node-name': name, file: fileNode(name), backing: below },
  ]
}

export function addNvramNodes(list: ArgumentList, facts: ImageFacts): void {
  const below = addBackingNodes(list, nvramNode, facts, {})
  for (const node of nvramNodes(facts.path, nvramNode, below)) list.blockdev(node)
}

/** The medium of a CD drive: always raw, never written, and worth the host's page cache. */
export function addCdromNodes(list: ArgumentList, id: string, facts: ImageFacts): void {
  for (const node of cdromNodes(driveNode(id), facts)) list.blockdev(node)
}

export function cdromNodes(name: string, facts: Pick<ImageFacts, 'path' | 'driver'>): BlockNode[] {
  return [
    { driver: facts.driver, 'node-name': fileNode(name), filename: facts.path, 'read-only': true },
    { driver: 'raw', 'node-name': name, file: fileNode(name), 'read-only': true },
  ]
}

/** @returns the node right below the top one, or null */
function addBackingNodes(list: ArgumentList, top: string, { backing }: ImageFacts, access: JsonObject, encrypted = false): string | null {
  let below: string | null = null
  for (const [index, layer] of [...backing.entries()].reverse()) {
    const name = baseNode(top, index)
    list.blockdev({ driver: layer.driver, 'node-name': fileNode(name), filename: layer.path, ...fileAccess(layer), ...access })
    list.blockdev({ driver: layer.format, 'node-name': name, file: fileNode(name), 'read-only': true, ...keyOf({ encrypted }), ...backingOf(layer.format, below) })
    below = name
  }
  return below
}

/**
 * A layer of the machine's own is written to when the ones below it are merged into it: its file is then opened for writing by itself, and not before.
 * What belongs to another machine is never opened for writing.
 */
function fileAccess({ own }: ImageFacts['backing'][number]): JsonObject {
  return own ? { 'read-only': false, 'auto-read-only': true } : { 'read-only': true }
}

function backingOf(format: DiskFormat, below: string | null): JsonObject {
  return layered.includes(format) ? { backing: below } : {}
}
