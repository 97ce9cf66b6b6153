import { realpath } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import type { MachineDefinition, SharedFolder } from '@shared/model'
import type { LaunchPlan } from '../../engine'
import { adoptVirtiofsd, askVirtiofs, folderObstacle, launchVirtiofsd, type VirtiofsDaemon } from '../virtiofs'
import { checkSharedFolders } from './check-shared-folders'
import { runningDefinition } from './prepare'
import type { RunFiles } from './run-files'

/** How long a virtiofsd may take to end after QEMU has. */
const endPatienceMs = 2_000

interface Served { folder: SharedFolder; daemon: VirtiofsDaemon }

/** The folders of a run that other programs serve: one virtiofsd each, which lives as long as QEMU and needs nobody else. */
export class SharedFolders {
  private constructor(private readonly served: readonly Served[], readonly notes: readonly string[], private readonly files: RunFiles, private readonly order: readonly SharedFolder[]) {}

  /**
   * Starts what serves the folders, each where it can be; a folder that may go either way goes by 9p where it can’t.
   * Throws `CAPABILITY_MISSING` when one that has to go through virtiofs can’t, `FILE_NOT_FOUND` and the like for the folder itself.
   */
  static async start(plan: LaunchPlan, files: RunFiles): Promise<SharedFolders> {
    const definition = runningDefinition(plan)
    const order = definition.sharedFolders
    await checkSharedFolders(definition, plan)
    // One that waits for a QEMU that never came, when everything was cut off in the middle of a start.
    await endLeftDaemons(definition, files)
    const served: Served[] = []
    const notes: string[] = []
    try {
      for (const { folder, obstacle } of await decide(plan)) {
        if (obstacle !== null) continue
        const { virtiofsd } = await askVirtiofs(plan.qemu.systemPath)
        if (virtiofsd === null) continue
        try {
          const place = placeOf(folder, order, files)
          served.push({ folder, daemon: await launchVirtiofsd(virtiofsd, { folder: await realpath(folder.path), socket: place.socket, readOnly: folder.readOnly }, place.log) })
        } catch (cause) {
          const words = `virtiofsd can’t share ${folder.path} (${(cause as Error).message})`
          if (folder.driver === 'virtiofs') throw new RingsideError('CAPABILITY_MISSING', `${words.charAt(0).toUpperCase()}${words.slice(1)}.`, { path: folder.path, hint: 'Share the folder by 9p in the machine’s hardware.' }, { cause })
          notes.push(`The shared folder “${folder.tag}” goes by 9p, which is slower: ${words}.`)
        }
      }
      return new SharedFolders(served, notes, files, order)
    } catch (error) {
      for (const { daemon } of served) await daemon.kill()
      throw error
    }
  }

  /** Those of a run that somebody else started. */
  static async adopt(definition: MachineDefinition, files: RunFiles): Promise<SharedFolders> {
    const order = definition.sharedFolders
    const found = await Promise.all(order.filter(({ driver }) => driver !== '9p').map(async (folder) => {
      const { socket, log } = placeOf(folder, order, files)
      const daemon = await adoptVirtiofsd(socket, log)
      return daemon === null ? [] : [{ folder, daemon }]
    }))
    return new SharedFolders(found.flat(), [], files, order)
  }

  /** The sockets by the folders’ ids; those that are not in it go by 9p. */
  get sockets(): Record<string, string> {
    return Object.fromEntries(this.served.map(({ folder }) => [folder.id, placeOf(folder, this.order, this.files).socket]))
  }

  /** Why memory can’t be kept, half a sentence; null: nothing of this speaks against it. */
  get memoryObstacle(): string | null {
    const [first] = this.served
    return first === undefined ? null : `the folder “${first.folder.tag}” is shared through virtiofs, and the program that serves it knows what is open in the guest and is not saved with it`
  }

  /** Tells of one that ends while the machine goes on. */
  watch(tell: (sentence: string) => void): void {
    for (const { folder, daemon } of this.served) {
      daemon.onEnd((words) => { tell(`The shared folder “${folder.tag}” is out of the guest’s reach until the next start: the program that served it (virtiofsd) has ended${words === '' ? '' : `: ${words}`}.`) })
    }
  }

  /** Looks after them no more; they go on. */
  release(): void {
    for (const { daemon } of this.served) daemon.release()
  }

  /** QEMU is gone: they end by themselves, and are ended where they do not. */
  async end(): Promise<void> {
    await Promise.all(this.served.map(({ daemon }) => daemon.endWithin(endPatienceMs)))
  }

  /** QEMU never came. */
  async kill(): Promise<void> {
    await Promise.all(this.served.map(({ daemon }) => daemon.kill()))
  }
}

/** The sockets that a start would use now; nothing is started. */
export async function plannedSockets(plan: LaunchPlan, files: RunFiles): Promise<Record<string, string>> {
  const order = runningDefinition(plan).sharedFolders
  return Object.fromEntries((await decide(plan)).filter(({ obstacle }) => obstacle === null).map(({ folder }) => [folder.id, placeOf(folder, order, files).socket]))
}

/** Ends what serves folders for a machine that does not run. */
export async function endLeftDaemons({ sharedFolders }: MachineDefinition, files: RunFiles): Promise<void> {
  for (const folder of sharedFolders) {
    if (folder.driver === '9p') continue
    const { socket, log } = placeOf(folder, sharedFolders, files)
    await (await adoptVirtiofsd(socket, log))?.kill()
  }
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

function placeOf({ id }: SharedFolder, order: readonly SharedFolder[], { runtime }: RunFiles): { socket: string; log: string } {
  const index = order.findIndex((folder) => folder.id === id)
  return { socket: runtime.virtiofs(index), log: runtime.virtiofsLog(index) }
}
