import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, sep } from 'node:path'
import { DiskFormat, isLive, type Disk, type ImageUser, type MachineDefinition, type MachineView, type Orphan } from '@shared/model'
import { imagePath } from '../library'
import { allocatedBytes } from '../library/delete-plan'
import { readEntries, realFolder, RealPlaces } from '../snapshot/layers'
import type { LayerFile } from '../snapshot/layer-file'
import { namesOf, type Namer } from '../snapshot/names'
import { findOrphans } from '../snapshot/orphans'
import { type Survey, survey } from '../snapshot/survey'
import { FileSource, detectImageFormat } from '../storage'
import type { ImageContext } from './context'

/** A machine's disk that names an image, and how it is plugged in. */
export interface Plug { readonly machine: MachineView; readonly disk: Disk }

/** An image that a machine has, or that lies where such images lie. */
export interface KnownImage {
  /** Absolute, links of folders resolved. */
  readonly path: string
  /** In whose folder it lies. */
  readonly owner: { readonly id: string; readonly name: string; readonly folder: string } | null
  readonly format: DiskFormat | null
  /** null: to be asked of the image tool. */
  readonly virtualBytes: number | null
  readonly bytes: number
  readonly below: string | null
  readonly readers: readonly string[]
  readonly users: readonly ImageUser[]
  /** Disks of machines as they are now that name the file itself. */
  readonly plugs: readonly Plug[]
  readonly encrypted: boolean
  readonly internalSnapshots: number
  /** The snapshot, of a machine whose disk this is, that holds a layer that it reads through; null: none. */
  readonly snapshotBelow: string | null
  readonly fault: string | null
}

export interface Catalogue {
  readonly images: ReadonlyMap<string, KnownImage>
  readonly orphans: readonly { readonly machineId: string; readonly machineName: string; readonly files: readonly Orphan[] }[]
  /** Folders that somebody added, links resolved where they are there. */
  readonly addedFolders: readonly string[]
  /** Further folders outside the library in which images lie that machines use. */
  readonly otherFolders: readonly string[]
}

interface Draft {
  path: string
  owner: KnownImage['owner']
  format: DiskFormat | null
  file: LayerFile
  below: string | null
  users: ImageUser[]
  plugs: Plug[]
}

const endings = new Set(['.qcow2', '.img', '.raw', '.vmdk', '.vdi', '.vhdx', '.vhd', '.vpc'])
/** A folder of images that has more than this is one of something else. */
const mostInFolder = 1000

/** Every disk image of the library, of the folder beside it and of the folders in which disks of its machines lie: from headers alone. Machines whose folder can't be read are left out. */
export async function readCatalogue(context: ImageContext): Promise<Catalogue> {
  const builder = new Builder(context)
  const surveys: Survey[] = []
  for (const stored of context.library.list()) {
    // Who reads from whom is found in one go below, instead of by a look at every other machine for each.
    const found = await survey(context, stored, []).catch(() => null)
    if (found !== null) surveys.push(found)
  }
  for (const found of surveys) await builder.addMachine(found)
  return builder.finish(surveys)
}

/** Whether anybody has an image for theirs; null: nothing is known of it. @param path absolute */
export async function isNeeded(context: ImageContext, path: string): Promise<boolean | null> {
  const found = (await readCatalogue(context)).images.get(await realpath(path))
  return found === undefined ? null : found.users.length > 0 || found.plugs.length > 0 || found.readers.length > 0
}

class Builder {
  readonly #drafts = new Map<string, Draft>()
  readonly #places = new RealPlaces()

  constructor(private readonly context: ImageContext) {}

  async addMachine(found: Survey): Promise<void> {
    const { definition } = found.stored
    const machine = this.context.machines.get(definition.id)
    const owner = { id: definition.id, name: definition.name, folder: found.folder }
    for (const layer of found.graph.ownLayers()) {
      if (layer.own?.startsWith('disks/') === true) this.#add(layer.path, { owner, file: layer, below: layer.below })
    }
    for (const disk of definition.disks) await this.#addDisk(found, machine, disk)
    const names = namesOf(found, null)
    for (const own of names.all()) {
      const top = found.graph.own(own)
      if (top === null) continue
      for (const namer of names.of(own)) {
        const user = userOf(namer, machine, found, own)
        if (user === null) continue
        for (const layer of found.graph.downFrom(top.path)) this.#addUser(layer.path, { ...user, direct: layer.path === top.path })
      }
    }
  }

  async finish(surveys: readonly Survey[]): Promise<Catalogue> {
    const { context } = this
    const libraryFolder = await realFolder(context.libraryFolder)
    const otherFolders = [...new Set([...this.#drafts.values()].filter(({ owner }) => owner === null).map(({ path }) => dirname(path)))]
      .filter((folder) => folder !== libraryFolder && !folder.startsWith(libraryFolder + sep))
    const imagesFolder = await realFolder(context.imagesFolder)
    const addedFolders = await Promise.all(context.settings.get().storageFolders.map((folder) => realFolder(folder)))
    for (const folder of new Set([imagesFolder, ...addedFolders, ...otherFolders])) await this.#addFolder(folder)
    const readers = Map.groupBy([...this.#drafts.values()].filter(({ below }) => below !== null), ({ below }) => below ?? '')
    const images = new Map<string, KnownImage>()
    for (const draft of this.#drafts.values()) {
      const { format, fault } = await this.#formatOf(draft, readers.get(draft.path) ?? [])
      // Something else that lies among the disks; it is told of as left over.
      if (format === null && draft.users.length === 0 && fault === null) continue
      const { path, owner, file, below, users, plugs } = draft
      images.set(path, {
        path, owner, format, below, users, plugs, bytes: file.bytes, encrypted: file.encrypted, internalSnapshots: file.internalSnapshots, snapshotBelow: this.#snapshotBelow(draft),
        fault: file.fault ?? fault,
        virtualBytes: format === 'raw' ? await stat(path).then(({ size }) => size, () => null) : format === 'qcow2' ? file.virtualBytes : null,
        readers: (readers.get(path) ?? []).map((reader) => reader.path),
      })
    }
    const orphans = surveys.map((found) => {
      const { definition } = found.stored
      const outside = [...this.#drafts.values()].flatMap(({ path, owner, below }) => (below?.startsWith(found.folder + sep) === true && owner?.folder !== found.folder ? [{ folder: owner?.folder ?? dirname(path), file: path, reads: below }] : []))
      const whole = { ...found, outside }
      // What something at work has begun is not left over.
      const files = context.machines.get(definition.id).task === null ? findOrphans(whole, namesOf(whole, null)) : []
      return { machineId: definition.id, machineName: definition.name, files }
    })
    return { images, orphans: orphans.filter(({ files }) => files.length > 0), addedFolders, otherFolders: otherFolders.filter((folder) => folder !== imagesFolder && !addedFolders.includes(folder)) }
  }

  #snapshotBelow({ path, below, plugs }: Draft): string | null {
    const seen = new Set([path])
    for (let at = below; at !== null && !seen.has(at); at = this.#drafts.get(at)?.below ?? null) {
      seen.add(at)
      const user = this.#drafts.get(at)?.users.find(({ how, machineId }) => how === 'snapshot' && plugs.some(({ machine }) => machine.id === machineId))
      if (user !== undefined) return user.snapshotName ?? 'that can’t be read'
    }
    return null
  }

  async #addDisk(found: Survey, machine: MachineView, disk: Disk): Promise<void> {
    const named = imagePath(found.stored.paths.folder, disk.image)
    // A link is the file that it leads to: whoever names that one means this disk.
    const path = await realpath(named).catch(() => this.#places.of(named))
    const draft = this.#drafts.get(path) ?? (await this.#addFile(path, null))
    if (draft === null) return
    draft.format = disk.format
    draft.plugs.push({ machine, disk })
    // Own layers of this machine are told of by their names; whatever else it names is not in its graph.
    if (found.graph.get(path) === null) {
      this.#addUser(path, { machineId: machine.id, machineName: machine.definition.name, state: machine.state, how: 'present', snapshotName: null, diskId: disk.id, direct: true })
    }
  }

  async #addFolder(folder: string): Promise<void> {
    const entries = await readEntries(dirname(folder), basename(folder)).catch(() => [])
    for (const { own, kind } of entries.slice(0, mostInFolder)) {
      const path = join(folder, basename(own))
      if (kind === 'file' && endings.has(extname(path).toLowerCase()) && !basename(path).startsWith('.') && !this.#drafts.has(path)) await this.#addFile(path, null)
    }
  }

  async #addFile(path: string, owner: KnownImage['owner']): Promise<Draft | null> {
    const file = await this.context.layers.read(path).catch(() => null) ?? (await deviceFile(path))
    if (file === null) return null
    return this.#add(path, { owner, file, below: file.backing === null ? null : await this.#places.resolve(dirname(path), file.backing.name) })
  }

  #add(path: string, { owner, file, below }: Pick<Draft, 'owner' | 'file' | 'below'>): Draft {
    const known = this.#drafts.get(path)
    if (known !== undefined) {
      known.owner ??= owner
      return known
    }
    const draft: Draft = { path, owner, file, below, format: null, users: [], plugs: [] }
    this.#drafts.set(path, draft)
    return draft
  }

  #addUser(path: string, user: ImageUser): void {
    const users = this.#drafts.get(path)?.users
    const isKnown = users?.some((other) => other.machineId === user.machineId && other.how === user.how && other.snapshotName === user.snapshotName && other.direct === user.direct)
    if (isKnown === false) users?.push(user)
  }

  /** What a machine or a layer above says, before what the content says, which a guest may have written. */
  async #formatOf({ path, format, file, owner }: Draft, readers: readonly Draft[]): Promise<{ format: DiskFormat | null; fault: string | null }> {
    if (format !== null) return { format, fault: null }
    for (const reader of readers) {
      const said = DiskFormat.safeParse(reader.file.backing?.format)
      if (said.success) return { format: said.data, fault: null }
    }
    const ending = extname(path).toLowerCase()
    try {
      await using source = await FileSource.open(path)
      if (source.size === 0) return { format: null, fault: owner === null ? 'is empty, it has 0 bytes' : null }
      const detected = await detectImageFormat(source)
      const found = detected.kind === 'disk' ? detected.format : null
      if (ending !== '.raw' || owner !== null || found === 'raw') return { format: found, fault: null }
      // All that is in such a file may have been written by a guest.
      if (found === null) return { format: detected.kind === 'unknown' && source.size % 512 === 0 ? 'raw' : null, fault: null }
      return { format: null, fault: `is named as a raw disk and begins as a ${found} image, which a guest can have written` }
    } catch {
      return { format: file.format === 'qcow2' ? 'qcow2' : null, fault: null }
    }
  }
}

/** A disk that lies elsewhere may be a block device. */
async function deviceFile(path: string): Promise<LayerFile | null> {
  const found = await stat(path).catch(() => null)
  if (found?.isBlockDevice() !== true) return null
  return { format: 'other', virtualBytes: null, dirty: false, encrypted: false, internalSnapshots: 0, backing: null, isBlind: false, fault: null, bytes: allocatedBytes(found) }
}

function userOf(namer: Namer, machine: MachineView, found: Survey, own: string): ImageUser | null {
  const base = { machineId: machine.id, machineName: machine.definition.name, state: machine.state, direct: true }
  switch (namer.kind) {
    case 'present':
      return { ...base, how: 'present', snapshotName: null, diskId: diskOf(found.stored.definition, own) }
    case 'saved':
      return { ...base, how: 'saved', snapshotName: null, diskId: found.saved === null ? null : diskOf(found.saved.definition, own) }
    case 'snapshot': {
      const manifest = found.snapshots.get(namer.id)?.manifest
      return { ...base, how: 'snapshot', snapshotName: manifest?.name ?? null, diskId: manifest === undefined ? null : diskOf(manifest.definition, own) }
    }
    case 'unclear':
      return { ...base, how: 'snapshot', snapshotName: basename(dirname(namer.path)), diskId: null }
    case 'run':
    case 'clone':
      return null
  }
}

function diskOf(definition: Pick<MachineDefinition, 'disks'>, own: string): string | null {
  return definition.disks.find(({ image }) => image.kind === 'own' && image.path === own)?.id ?? null
}

/** Machines that are on now and have the image open. */
export function liveUsers({ users }: Pick<KnownImage, 'users'>): ImageUser[] {
  return users.filter(({ state, how }) => isLive(state) && how === 'present')
}
