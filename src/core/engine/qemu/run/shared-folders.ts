import { realpath } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import type { MachineDefinition, SharedFolder } from '@shared/model'
import { capitalised } from '@shared/words'
import { placeOfFolder } from '../../empty-places'
import type { LaunchPlan } from '../../engine'
import { adoptVirtiofsd, askVirtiofs, endLeftoverVirtiofsds, folderObstacle, launchVirtiofsd, type VirtiofsDaemon } from '../virtiofs'
import { checkSharedFolders } from './check-shared-folders'
import { runningDefinition } from './prepare'
import type { RunFiles } from './run-files'

/** How long a virtiofsd may take to end after QEMU has. */
const endPatienceMs = 2_000

interface Served { folder: SharedFolder; socket: string; daemon: VirtiofsDaemon }
type Folders = Pick<MachineDefinition, 'sharedFolders' | 'emptyPlaces'>
type Tell = (sentence: string) => void

/** The folders of a run that other programs serve: one virtiofsd each, which lives as long as QEMU and needs nobody else. */
export class SharedFolders {
  readonly #served: Map<string, Served>
  #tell: Tell | null = null

  private constructor(served: readonly Served[], readonly notes: readonly string[], private readonly files: RunFiles) {
    this.#served = new Map(served.map((each) => [each.folder.id, each]))
  }

  /**
   * Starts what serves the folders, each where it can be; a folder that may go either way goes by 9p where it can’t.
   * Throws `CAPABILITY_MISSING` when one that has to go through virtiofs can’t, `FILE_NOT_FOUND` and the like for the folder itself.
   */
  static async start(plan: LaunchPlan, files: RunFiles): Promise<SharedFolders> {
    const definition = runningDefinition(plan)
    await checkSharedFolders(definition, plan)
    // One that waits for a QEMU that never came, when everything was cut off in the middle of a start.
    await endLeftoverVirtiofsds(files.runtime.folder)
    const served: Served[] = []
    const notes: string[] = []
    try {
      for (const { folder, obstacle } of await decide(plan)) {
        if (obstacle !== null) continue
        const one = await serve(folder, definition, plan, files)
        if (typeof one === 'string') notes.push(one)
        else served.push(one)
      }
      return new SharedFolders(served, notes, files)
    } catch (error) {
      for (const { daemon } of served) await daemon.kill()
      throw error
    }
  }

  /** Those of a run that somebody else started. */
  static async adopt(definition: MachineDefinition, files: RunFiles): Promise<SharedFolders> {
    const found = await Promise.all(definition.sharedFolders.filter(({ driver }) => driver !== '9p').map(async (folder) => {
      const { socket, log } = placeOf(folder, definition, files)
      const daemon = await adoptVirtiofsd(socket, log)
      return daemon === null ? [] : [{ folder, socket, daemon }]
    }))
    return new SharedFolders(found.flat(), [], files)
  }

  /** The sockets by the folders’ ids; those that are not in it go by 9p. */
  get sockets(): Record<string, string> {
    return Object.fromEntries([...this.#served].map(([id, { socket }]) => [id, socket]))
  }

  /** Why memory can’t be kept, half a sentence; null: nothing of this speaks against it. */
  get memoryObstacle(): string | null {
    const [first] = this.#served.values()
    return first === undefined ? null : `the folder “${first.folder.tag}” is shared through virtiofs, and the program that serves it knows what is open in the guest and is not saved with it`
  }

  /** Tells of one that ends while the machine goes on. */
  watch(tell: Tell): void {
    this.#tell = tell
    for (const served of this.#served.values()) this.#watchOne(served)
  }

  #watchOne({ folder, daemon }: Served): void {
    daemon.onEnd((words) => { this.#tell?.(`The shared folder “${folder.tag}” is out of the guest’s reach until it is removed and shared anew, or until the next start: the program that served it (virtiofsd) has ended${words === '' ? '' : `: ${words}`}.`) })
  }

  /**
   * Starts what serves a folder that comes while the machine runs; resolves when QEMU may connect.
   * @param definition of what runs, without that folder
   * @returns the socket, or why a folder that may go either way goes by 9p, a sentence. Throws `CAPABILITY_MISSING` for one that may not
   */
  async add(folder: SharedFolder, definition: MachineDefinition, plan: LaunchPlan): Promise<{ socket: string } | { note: string }> {
    await this.drop(folder.id)
    const one = await serve(folder, definition, plan, this.files)
    if (typeof one === 'string') return { note: one }
    this.#served.set(folder.id, one)
    this.#watchOne(one)
    return { socket: one.socket }
  }

  /** Ends what serves a folder that has gone; nothing where it went by 9p. */
  async drop(id: string): Promise<void> {
    const served = this.#served.get(id)
    this.#served.delete(id)
    await served?.daemon.endWithin(endPatienceMs)
  }

  /** Looks after them no more; they go on. */
  release(): void {
    for (const { daemon } of this.#served.values()) daemon.release()
  }

  /** QEMU is gone: they end by themselves, and are ended where they do not. */
  async end(): Promise<void> {
    await Promise.all([...this.#served.values()].map(({ daemon }) => daemon.endWithin(endPatienceMs)))
  }

  /** QEMU never came. */
  async kill(): Promise<void> {
    await Promise.all([...this.#served.values()].map(({ daemon }) => daemon.kill()))
  }
}

/** The sockets that a start would use now; nothing is started. */
export async function plannedSockets(plan: LaunchPlan, files: RunFiles): Promise<Record<string, string>> {
  const definition = runningDefinition(plan)
  return Object.fromEntries((await decide(plan)).filter(({ obstacle }) => obstacle === null).map(({ folder }) => [folder.id, placeOf(folder, definition, files).socket]))
}

/** Which folders go through virtiofs (`obstacle` null), and why others don’t. Memory that is loaded was kept with none of them. */
async function decide(plan: LaunchPlan): Promise<{ folder: SharedFolder; obstacle: string | null }[]> {
  const { sharedFolders } = runningDefinition(plan)
  const wanted = sharedFolders.filter(({ driver }) => driver === 'virtiofs' || (driver === 'auto' && plan.restore === null))
  if (wanted.length === 0) return []
  const report = await askVirtiofs(plan.qemu.systemPath)
  return wanted.map((folder) => {
    const obstacle = folderObstacle(folder, report, plan.qemu, process.platform)
    if (obstacle !== null && folder.driver === 'virtiofs') throw new RingsideError('CAPABILITY_MISSING', `The folder “${folder.tag}” can’t be shared through virtiofs. ${obstacle}`, { path: folder.path, hint: 'Share it by 9p in the machine’s hardware.' })
    return { folder, obstacle }
  })
}

/** Starts it, or says why a folder that may go either way goes by 9p, a sentence. Throws `CAPABILITY_MISSING` for one that may not. */
async function serve(folder: SharedFolder, definition: Folders, plan: LaunchPlan, files: RunFiles): Promise<Served | string> {
  try {
    const { virtiofsd, obstacle } = await askVirtiofs(plan.qemu.systemPath)
    if (virtiofsd === null) throw new Error(obstacle)
    const { socket, log } = placeOf(folder, definition, files)
    return { folder, socket, daemon: await launchVirtiofsd(virtiofsd, { folder: await realpath(folder.path), socket, readOnly: folder.readOnly }, log) }
  } catch (cause) {
    const words = `virtiofsd can’t share ${folder.path} (${(cause as Error).message})`
    if (folder.driver === 'virtiofs') throw new RingsideError('CAPABILITY_MISSING', `${capitalised(words)}.`, { path: folder.path, hint: 'Share the folder by 9p in the machine’s hardware.' }, { cause })
    return `The shared folder “${folder.tag}” goes by 9p, which is slower: ${words}.`
  }
}

/** The same for as long as the machine runs, whatever comes and goes. */
function placeOf({ id, slot }: SharedFolder, definition: Folders, { runtime }: RunFiles): { socket: string; log: string } {
  const place = slot === null ? String(placeOfFolder(definition, id)) : `p${String(slot)}`
  return { socket: runtime.virtiofs(place), log: runtime.virtiofsLog(place) }
}
