import { isDeepStrictEqual } from 'node:util'
import { stat } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import type { Issue } from '@shared/errors'
import type { MachineDefinition, MachineHardware } from '@shared/model'
import { shareFault } from '../library/share-fault'

/** What speaks against the folders that a change shares: they are looked at as at a start. */
export async function folderIssuesOf({ sharedFolders }: MachineHardware, stored: Pick<MachineDefinition, 'sharedFolders'>, library: string): Promise<Issue[]> {
  const issues = await Promise.all(sharedFolders.map(async (folder, index): Promise<Issue[]> => {
    const path = `sharedFolders.${String(index)}.path`
    const known = stored.sharedFolders.some((other) => isDeepStrictEqual(other, folder))
    // A path that is none is told of by its form.
    if (known || !isAbsolute(folder.path)) return []
    const found = await stat(folder.path).catch(() => null)
    if (found?.isDirectory() !== true) return [{ path, message: `The folder is not there: ${folder.path}`, received: folder.path, code: 'FILE_NOT_FOUND', severity: 'error' }]
    const fault = await shareFault(folder.path, library)
    if (fault === null) return []
    if (folder.readOnly) return [{ path, message: 'Ringside’s library is in reach from here: the guest can read every machine’s disks and settings.', severity: 'warning' }]
    return [{ path, message: `${fault}. Choose another folder, or share this one read-only.`, received: folder.path, severity: 'error' }]
  }))
  return issues.flat()
}
