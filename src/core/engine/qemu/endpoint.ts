import { connect as connectSocket, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { option } from './argv/options'
import type { JsonObject } from './qmp/qmp-types'

/**
 * Where one of QEMU's sockets is. A unix socket in a folder of mode 0700 needs no further guard. Windows has none in Node, so there it is
 * a port of the loopback interface, guarded by a TLS pre-shared key (any user of the computer can connect to a port).
 */
export type Endpoint =
  | { kind: 'unix'; path: string }
  | { kind: 'tcp'; port: number; psk: PreSharedKey }

/** A TLS-PSK identity. The key lies in a file that QEMU reads, never on a command line. */
export interface PreSharedKey {
  identity: string
  /** hexadecimal */
  key: string
}

/** Identifier of the `tls-creds-psk` object in QEMU that guards all TCP endpoints of one process. */
export const tlsCredentialsId = 'tls0'

/** The one cipher with which Node and GnuTLS agree on a pre-shared key (a broad list fails or hangs). */
const pskCipher = 'ECDHE-PSK-CHACHA20-POLY1305'

/** Options of `-chardev socket` that make QEMU listen at the endpoint. Port 0 lets QEMU choose; `query-chardev` then tells. */
export function listenOptions(endpoint: Endpoint): string[] {
  switch (endpoint.kind) {
    case 'unix':
      return [option('path', endpoint.path), 'server=on', 'wait=off']
    case 'tcp':
      return ['host=127.0.0.1', option('port', endpoint.port), 'server=on', 'wait=off', option('tls-creds', tlsCredentialsId)]
  }
}

/**
 * The same as `chardev-add` takes it.
 * @param log a file to which all that comes through is appended
 */
export function listenBackend(endpoint: Endpoint, log?: string): JsonObject {
  const listening = { server: true, wait: false, ...(log === undefined ? {} : { logfile: log, logappend: true }) }
  switch (endpoint.kind) {
    case 'unix':
      return { type: 'socket', data: { addr: { type: 'unix', data: { path: endpoint.path } }, ...listening } }
    case 'tcp':
      return { type: 'socket', data: { addr: { type: 'inet', data: { host: '127.0.0.1', port: String(endpoint.port) } }, ...listening, 'tls-creds': tlsCredentialsId } }
  }
}

/** Connects. Rejects with Node's system error (`ENOENT`, `ECONNREFUSED` …). */
export async function connectEndpoint(endpoint: Endpoint): Promise<Duplex> {
  const socket = openSocket(endpoint)
  const ready = endpoint.kind === 'unix' ? 'connect' : 'secureConnect'
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.once(ready, () => {
      socket.off('error', reject)
      resolve()
    })
  })
  return endpoint.kind === 'unix' ? socket : byteRecords(socket)
}

/**
 * Sends every byte as a TLS record of its own. QEMU's monitor and serial port take one byte at a time, and QEMU waits on the socket
 * for the next: what is left of a record lies in its TLS library meanwhile, where nobody looks, and the connection hangs (seen on 7.2).
 */
function byteRecords(socket: Socket): Duplex {
  const stream = new Duplex({
    read: () => { socket.resume() },
    write: (chunk: Buffer, _encoding, done) => {
      const next = (at: number): void => {
        if (at === chunk.length) done()
        // Node joins writes that wait into one record, so each waits for the one before.
        else socket.write(chunk.subarray(at, at + 1), (error) => { if (error) done(error); else next(at + 1) })
      }
      next(0)
    },
    final: (done) => { socket.end(done) },
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })
  socket.on('data', (chunk: Buffer) => { if (!stream.push(chunk)) socket.pause() })
  socket.on('end', () => { stream.push(null) })
  socket.on('error', (error) => { stream.destroy(error) })
  socket.on('close', () => { stream.destroy() })
  return stream
}

function openSocket(endpoint: Endpoint): Socket {
  if (endpoint.kind === 'unix') return connectSocket({ path: endpoint.path })
  const { identity, key } = endpoint.psk
  return connectTls({
    host: '127.0.0.1',
    port: endpoint.port,
    ciphers: pskCipher,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.2',
    pskCallback: () => ({ identity, psk: Buffer.from(key, 'hex') }),
    // A pre-shared key proves both sides; there is no certificate to check.
    checkServerIdentity: () => undefined,
  })
}
