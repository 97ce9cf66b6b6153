import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { HostServices } from '@core/app/services'
import { RingsideError } from '@shared/errors'
import { whyIllegal } from '@shared/model'
import { bridgeConsole, type OpenChannel } from './console-bridge'
import { relayOverLoopback } from './loopback-relay'

/** How a console's bytes get to a worker that cannot be handed the socket itself. */
export interface ConsoleHandover {
  /** Where workers take message ports only (Electron): makes a channel to one. */
  openChannel?: OpenChannel | undefined
  /** Where the sockets are named pipes of Windows, which no process can hand to another. */
  relay?: boolean | undefined
}

/**
 * Hands a console's socket to the worker of its machine, unread: the worker completes the WebSocket handshake and pumps the
 * bytes, so that the host sees none of them.
 * @param handover where that can't be; the host pumps then
 * @throws `UNAUTHORIZED` for a ticket that is unknown, used or too old; `NOT_FOUND`, `ILLEGAL_STATE`; whatever the machine manager throws
 */
export function attachConsoleUpgrade(host: HostServices, ticket: string, request: IncomingMessage, socket: Duplex, head: Buffer, handover: ConsoleHandover = {}): void {
  const grant = host.consoleTickets.redeem(ticket)
  if (grant === null) {
    throw new RingsideError('UNAUTHORIZED', 'This console ticket is unknown, used or older than 30 seconds.', { hint: 'Open the console again.' })
  }
  // Looked at here as well as when it is attached, because a socket that was handed over can no longer be answered in words.
  const { state } = host.machines.get(grant.machineId)
  const why = whyIllegal('openConsole', state)
  if (why !== null) throw new RingsideError('ILLEGAL_STATE', why, { state })

  if (handover.openChannel) {
    const { here, there } = handover.openChannel()
    host.machines.attachConsole(grant.machineId, grant.channel, { kind: 'messagePort', port: there })
    bridgeConsole(request, socket, head, here)
    return
  }
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    // The session is the host's business; the worker has no use for it.
    if (value !== undefined && name !== 'cookie') headers[name] = Array.isArray(value) ? value.join(', ') : value
  }
  socket.removeAllListeners()
  socket.on('error', () => undefined)
  const handOver = (carrier: Duplex): void => {
    host.machines.attachConsole(grant.machineId, grant.channel, { kind: 'webSocketUpgrade', socket: carrier, headers, head: new Uint8Array(head) })
  }
  if (handover.relay !== true) {
    handOver(socket)
    return
  }
  // The machine may end meanwhile; the viewer sees its console close and asks anew.
  relayOverLoopback(socket).then(handOver).catch(() => { socket.destroy() })
}
