export { endLeftoverTpm, TpmProcess } from './tpm-process'
export { copyTpmState, makeTpmState, readTpmState, requireTpmState, writeTpmState } from './tpm-state'
