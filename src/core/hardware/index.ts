export type { HardwareRules } from './context'
export { rulesOfQemu } from './rules'
export { HardwareService } from './hardware-service'
export { type HardwareStep, hardwareSteps } from './steps'
