export { type CloseMode, type CloseOptions, type Remaining } from './close-machines'
export { type WorkerHandle, type WorkerLauncher, type WorkerMachine } from './launcher'
export { MachineSupervisor, type MachineSupervisorOptions } from './manager'
export { createNodeWorkerLauncher } from './node-launcher'
