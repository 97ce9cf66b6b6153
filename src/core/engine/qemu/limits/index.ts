export { hardwareProperties } from './hardware-properties'
export { hardwareIssues } from './hardware-issues'
export { readHardwareHost, type HardwareHost, type HardwareSurroundings } from './surroundings'
