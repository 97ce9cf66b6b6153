export { expectedProbeAnswer, isProbeAnswer, probeExit, probeGuestArgs } from './probe/probe-answer'
export { assembleProbeRom } from './probe/probe-rom'
export { readBootCount } from './sample/boot-record'
export { assembleSampleDisk, sampleMachineFacts } from './sample/sample-disk'
