import { dirname } from 'node:path'
import { imagePath, machinePaths, runtimePaths, type MachineFiles, type RuntimePaths } from '../../../library/paths'
import type { LaunchPlan } from '../../engine'

/** Every path that a run needs. */
export interface RunFiles {
  machine: MachineFiles
  runtime: RuntimePaths
}

export function runFiles({ definition, machineFolder, runtimeFolder }: Pick<LaunchPlan, 'definition' | 'machineFolder' | 'runtimeFolder'>): RunFiles {
  return { machine: machinePaths(machineFolder, dirname(runtimeFolder), definition.id), runtime: runtimePaths(runtimeFolder) }
}

export { imagePath }
