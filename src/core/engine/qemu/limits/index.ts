export { hardwareProperties } from './hardware-properties'
export { hardwareIssues } from './hardware-issues'
export { plugProcessorObstacle, unplugProcessorObstacle } from './processors'
export { readHardwareHost, type HardwareHost, type HardwareSurroundings } from './surroundings'
