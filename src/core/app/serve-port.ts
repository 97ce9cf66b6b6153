import { RPCHandler } from '@orpc/server/message-port'
import { errorInterceptor, type DefectLog } from './rpc-errors'
import { router, type RpcContext } from './router'
import type { HostServices } from './services'

/** Anything that carries messages both ways: Electron's `MessagePortMain`, a port of `node:worker_threads` or of the DOM. */
export type ContractPort = Parameters<RPCHandler<RpcContext>['upgrade']>[0] & { start?: () => void }

/** Serves the contract over a message port until its other end closes. */
export function servePort(port: ContractPort, host: HostServices, log: DefectLog): void {
  const handler = new RPCHandler(router, { clientInterceptors: [errorInterceptor(log)] })
  handler.upgrade(port, { context: { host } })
  port.start?.()
}
