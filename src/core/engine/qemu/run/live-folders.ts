import { realpath, rm, symlink } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import type { SharedFolder } from '@shared/model'
import { folderChardev, plainFolder, spareShareOf, virtiofsFolder } from '../argv'
import { unsharedMemory } from '../limits/folders'
import { QmpCommandError, type QmpClient } from '../qmp'
import { askVirtiofs, folderObstacle } from '../virtiofs'
import { checkSharedFolders } from './check-shared-folders'
import { explained, hasDevice, type LiveMachine, placeOf, removeChardev, requireNoDevice } from './live-devices'

/**
 * Shares a folder with a guest that runs, through virtiofs or by 9p as at a start. Throws `CAPABILITY_MISSING` where this run has not what it needs, `GUEST_FAILED` while the guest
 * keeps one with the same tag, and what speaks against the folder.
 */
export async function plugFolder(machine: LiveMachine, folder: SharedFolder): Promise<void> {
  const { qmp, plan, definition, folders } = machine
  await requireNoDevice(qmp, folder.id)
  const kept = definition.sharedFolders.find(({ tag }) => tag === folder.tag)
  if (kept !== undefined) throw new RingsideError('GUEST_FAILED', `The guest still has a folder with the tag “${folder.tag}”; this one is there at the next start.`)
  await checkSharedFolders({ ...definition, sharedFolders: [folder] }, plan)
  await removeFolderParts(machine, folder.id)
  const served = (await goesThroughVirtiofs(machine, folder)) ? await folders.add(folder, definition, plan) : null
  if (served !== null && 'note' in served) machine.tell(served.note)
  try {
    if (served !== null && 'socket' in served) await addServed(machine, folder, served.socket)
    else await addPlain(machine, folder)
  } catch (error) {
    if (!(await hasDevice(qmp, folder.id))) await removeFolderParts(machine, folder.id).catch(() => undefined)
    throw explained(error, `The folder “${folder.tag}” can’t be shared`)
  }
}

async function addServed({ qmp, plan, definition }: LiveMachine, folder: SharedFolder, socket: string): Promise<void> {
  await qmp.execute('chardev-add', { id: folderChardev(folder.id), backend: { type: 'socket', data: { addr: { type: 'unix', data: { path: socket } }, server: false } } })
  await qmp.execute('device_add', virtiofsFolder(folder, folder.slot === null ? {} : placeOf(plan, definition, folder.slot)))
}

/** QEMU opens the folder while it makes the device, and needs the link no more. */
async function addPlain({ qmp, plan, definition, share }: LiveMachine, folder: SharedFolder): Promise<void> {
  await rm(share, { force: true })
  await symlink(await realpath(folder.path), share)
  try {
    await qmp.execute('device_add', plainFolder(folder, spareShareOf(folder), folder.slot === null ? {} : placeOf(plan, definition, folder.slot)))
  } catch (error) {
    if (error instanceof QmpCommandError && /find fsdev/iu.test(error.description)) throw new RingsideError('CAPABILITY_MISSING', 'The machine was started with no room for folders by 9p; this one is there at the next start.', {}, { cause: error })
    throw error
  } finally {
    await rm(share, { force: true })
  }
}

/** Throws `CAPABILITY_MISSING` for a folder that has to and can’t. */
async function goesThroughVirtiofs({ qmp, plan }: LiveMachine, folder: SharedFolder): Promise<boolean> {
  if (folder.driver === '9p') return false
  const obstacle = (await sharesMemory(qmp)) ? folderObstacle(folder, await askVirtiofs(plan.qemu.systemPath), plan.qemu, process.platform) : unsharedMemory
  if (obstacle !== null && folder.driver === 'virtiofs') throw new RingsideError('CAPABILITY_MISSING', obstacle, { path: folder.path, hint: 'Share it by 9p, which can be done now.' })
  return obstacle === null
}

/** Whether other programs may map all of the guest’s memory, as what serves a folder has to. */
async function sharesMemory(qmp: QmpClient): Promise<boolean> {
  const backends = await qmp.execute('query-memdev')
  return backends.length > 0 && backends.every(({ share }) => share === true)
}

/** What stays of a folder that is gone: the way to what served it, and that itself. Whatever is not there is fine. */
export async function removeFolderParts({ qmp, folders }: Pick<LiveMachine, 'qmp' | 'folders'>, id: string): Promise<void> {
  await removeChardev(qmp, folderChardev(id))
  await folders.drop(id)
}
