import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RingsideError } from '@shared/errors'
import type { MachineDefinition } from '@shared/model'
import { shareFault } from '../../../library/share-fault'
import type { LaunchPlan } from '../../engine'

/** Throws for the first folder that can’t be shared as it is wanted. */
export async function checkSharedFolders({ sharedFolders }: MachineDefinition, { machineFolder }: Pick<LaunchPlan, 'machineFolder'>): Promise<void> {
  for (const { path, readOnly } of sharedFolders) {
    const found = await stat(path).catch(() => null)
    if (found?.isDirectory() !== true) throw new RingsideError('FILE_NOT_FOUND', `The shared folder is not there: ${path}`, { path, hint: 'Make it, or remove it from the machine’s hardware.' })
    await access(path, readOnly ? constants.R_OK | constants.X_OK : constants.R_OK | constants.W_OK | constants.X_OK).catch((cause: unknown) => {
      throw new RingsideError('FILE_UNREADABLE', `You may not ${readOnly ? 'read' : 'write to'} the shared folder: ${path}`, { path, hint: 'Change its permissions, or remove it from the machine’s hardware.' }, { cause })
    })
    const fault = readOnly ? null : await shareFault(path, dirname(machineFolder))
    if (fault !== null) throw new RingsideError('INVALID_INPUT', fault, { path, hint: 'Choose another folder in the machine’s hardware, or share this one read-only.' })
  }
}
