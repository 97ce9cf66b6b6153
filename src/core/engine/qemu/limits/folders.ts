import type { MachineDefinition, SharedFolder } from '@shared/model'

/** Why a folder does not come through virtiofs while the machine runs. */
export const unsharedMemory = 'virtiofs needs memory that other programs may map, and the machine has had none such since its start: it gets it at the next one. By 9p the folder comes now.'

/** Why a folder can’t come while the machine runs, a sentence; null: as far as is known here it can. Whether the memory is shared where a folder of the start decided over that, QEMU is asked. */
export function plugFolderObstacle({ memory, sharedFolders, emptyPlaces = [] }: Pick<MachineDefinition, 'memory' | 'sharedFolders' | 'emptyPlaces'>, { driver }: Pick<SharedFolder, 'driver'>): string | null {
  const mayBeShared = memory.shared || sharedFolders.some((folder) => folder.driver !== '9p' && folder.slot === null) || emptyPlaces.some(({ kind }) => kind === 'folder')
  return driver === 'virtiofs' && !mayBeShared ? unsharedMemory : null
}
