import type { BigIntStats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { errnoOf, fileError } from '../config'
import { FileSource } from '../storage/byte-source'
import { readQcow2Header } from '../storage/qcow2'

/** What a file in a machine's folder says in its header about what it is part of. */
export interface LayerFacts {
  /** Anything that does not begin as a qcow2 reads from no other file. */
  readonly format: 'qcow2' | 'other'
  readonly virtualBytes: number | null
  /** Its reference counts are out of date: it was not closed in order, or is open now. */
  readonly dirty: boolean
  /** LUKS within qcow2. */
  readonly encrypted: boolean
  /** Snapshots that the file keeps within itself. */
  readonly internalSnapshots: number
  /** What it reads from, in its header's own words. */
  readonly backing: { readonly name: string; readonly format: string | null } | null
  /** What it reads from can't be told: perhaps any other layer. */
  readonly isBlind: boolean
  /** Why nothing may be done with it, as in “… is damaged”; null: nothing is known against it. */
  readonly fault: string | null
}

export interface LayerFile extends LayerFacts {
  /** Bytes that it takes on the drive. */
  readonly bytes: number
}

interface Remembered {
  stamp: string
  facts: LayerFacts
  /** Read so soon after its last change that a further one could have left the same times. */
  fresh: boolean
}

/** File systems keep times in steps of up to two seconds (FAT); what was read within one step after a change may be older than it looks. */
const timeStepMs = 2000

const foreign: LayerFacts = { format: 'other', virtualBytes: null, dirty: false, encrypted: false, internalSnapshots: 0, backing: null, isBlind: false, fault: null }

/** Reads headers, each once for as long as its file stays as it is. */
export class LayerReader {
  readonly #known = new Map<string, Remembered>()

  /** null when there is no such file, or what is there is no ordinary file. Throws `FILE_UNREADABLE`. */
  async read(path: string): Promise<LayerFile | null> {
    const found = await lstat(path, { bigint: true }).catch((error: unknown) => {
      if (!['ENOENT', 'ENOTDIR'].includes(errnoOf(error))) throw fileError(error, path, 'read')
      return null
    })
    if (found?.isFile() !== true) {
      this.#known.delete(path)
      return null
    }
    const bytes = Number(process.platform === 'win32' ? found.size : found.blocks * 512n)
    const stamp = stampOf(found)
    const known = this.#known.get(path)
    if (known?.stamp === stamp && !known.fresh) return { ...known.facts, bytes }
    const facts = await readFacts(path)
    const changedAt = Math.max(Number(found.mtimeMs), Number(found.ctimeMs))
    this.#known.set(path, { stamp, facts, fresh: Date.now() - changedAt < timeStepMs })
    return { ...facts, bytes }
  }
}

function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(':')
}

async function readFacts(path: string): Promise<LayerFacts> {
  try {
    await using source = await FileSource.open(path)
    if ((await source.read(0, 4)).toString('latin1') !== 'QFI\xfb') return foreign
    const read = await readQcow2Header(source)
    const unknown = { ...foreign, format: 'qcow2' as const, isBlind: true }
    if ('fault' in read) return { ...unknown, fault: `is damaged (${read.fault})` }
    if ('version' in read) return { ...unknown, fault: `is of a qcow version that is not known here (${String(read.version)})` }
    const { header } = read
    const tablesEnd = Math.max(header.l1Offset + header.l1Entries * 8, header.refcountTableOffset + header.refcountTableClusters * 2 ** header.clusterBits)
    return {
      format: 'qcow2',
      virtualBytes: header.virtualBytes,
      dirty: header.dirty,
      encrypted: header.encryption === 'LUKS',
      internalSnapshots: header.internalSnapshots,
      backing: header.backingFile === null ? null : { name: header.backingFile, format: header.backingFormat },
      isBlind: false,
      fault: faultOf(header, tablesEnd > source.size),
    }
  } catch (error) {
    // One file that can't be read keeps nobody from seeing the others.
    return { ...foreign, isBlind: true, fault: `can't be read (${(error as Error).message})` }
  }
}

function faultOf(
  header: { corrupt: boolean; encryption: string; hasDataFile: boolean; dataFile: string | null; unknownFeatures: number; backingFile: string | null; backingFormat: string | null },
  isCutShort: boolean,
): string | null {
  if (isCutShort) return 'is cut short'
  if (header.corrupt) return 'is marked as corrupt'
  if (header.encryption !== 'none' && header.encryption !== 'LUKS') return `is encrypted in a way that is not known here (${header.encryption})`
  if (header.hasDataFile || header.dataFile !== null) return 'keeps its content in another file'
  if (header.unknownFeatures !== 0) return 'uses qcow2 features that are not known here'
  if (header.backingFile !== null && reachesAnything(header.backingFile)) return `reads from something that is no file (${header.backingFile})`
  if (header.backingFile !== null && header.backingFormat !== 'qcow2' && header.backingFormat !== 'raw') return 'does not state the format of what it reads from'
  return null
}

/** QEMU takes `json:…` and every other `word:…` for something else than a file [block.c: path_has_protocol]. A Windows drive letter is none. */
export function reachesAnything(name: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]+:/u.test(name) && !isAbsolute(name)
}
