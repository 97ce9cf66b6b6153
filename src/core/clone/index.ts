export { MachineClones } from './clones'
export type { CloneContext } from './context'
export { guardClones } from './guarded-library'
export { type CloneStep, cloneSteps } from './steps'
