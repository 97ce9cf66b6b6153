export { QmpClient, type QmpOptions } from './qmp-client'
export { connectQmp, type ConnectQmpOptions } from './connect-qmp'
export { QmpClosedError, QmpCommandError, QmpTimeoutError } from './qmp-error'
export * from './qmp-types'
