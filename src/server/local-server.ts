import type { Socket } from 'node:net'
import type { DefectLog } from '@core/app/rpc-errors'
import type { HostServices } from '@core/app/services'
import type { OpenChannel } from './console-bridge'
import { createHostServer, type HostServer } from './host-server'

/** Whatever hands over the connections of the host's local socket; the library's lock does. */
export interface LocalListener {
  serve(handler: (socket: Socket) => void): void
}

export interface LocalExtras {
  /** Makes a link to the page for a browser; absent where no page is served. */
  newLink?: () => string
  /** Where workers take message ports only (Electron). */
  openChannel?: OpenChannel
}

/**
 * Serves the contract and the consoles on the host's local socket, for the command line and for second windows. Nobody signs in
 * there: only the user who owns the socket's folder can connect.
 */
export function serveLocally(listener: LocalListener, host: HostServices, log: DefectLog, extras: LocalExtras = {}): HostServer {
  const server = createHostServer({
    host, log, webRoot: null, guard: 'trusted', bindAddress: 'localhost', uploadFolder: null,
    ...(extras.newLink === undefined ? {} : { newLink: extras.newLink }),
    handover: { openChannel: extras.openChannel, relay: process.platform === 'win32' },
    // The one who connects is the one who could end the process anyway.
    limits: { messagesPerSecond: 1_000_000, messageBytes: 16 << 20 },
  })
  listener.serve((socket) => server.http.emit('connection', socket))
  return server
}
