import { createCipheriv } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { RingsideError } from '@shared/errors'

const version = 'RFB 003.008\n'
const vncAuthentication = 2
const noAuthentication = 1

/**
 * Opens a screen that QEMU serves on a loopback port with a password (Windows), and stands in for a server without one: viewers see
 * the same byte stream as through a unix socket, and the password never leaves this process [RFC 6143, 7.1 and 7.2.2].
 */
export async function openProtectedGraphics(port: number, { passwordFile }: { passwordFile: string }): Promise<Duplex> {
  const password = await readFile(passwordFile, 'utf8')
  const socket = connect({ host: '127.0.0.1', port })
  try {
    const reader = new ExactReader(socket)
    await reader.take(version.length)
    socket.write(version)
    const types = await reader.take((await reader.take(1))[0] ?? 0)
    if (!types.includes(vncAuthentication)) throw new RingsideError('PROTOCOL', 'QEMU does not ask for the password of the screen.')
    socket.write(Buffer.from([vncAuthentication]))
    socket.write(encryptChallenge(await reader.take(16), password))
    if ((await reader.take(4)).readUInt32BE() !== 0) throw new RingsideError('UNAUTHORIZED', 'QEMU does not take the password of the screen.')
    reader.release()
    return standIn(socket)
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/** DES with the password as key, the bits of each byte in reverse. Three equal keys make triple DES a single one. */
export function encryptChallenge(challenge: Uint8Array, password: string): Buffer {
  const key = Buffer.alloc(8)
  Buffer.from(password, 'latin1').copy(key)
  const reversed = key.map((byte) => [0, 1, 2, 3, 4, 5, 6, 7].reduce((sum, bit) => sum | (((byte >> bit) & 1) << (7 - bit)), 0))
  const cipher = createCipheriv('des-ede3', Buffer.concat([reversed, reversed, reversed]), null).setAutoPadding(false)
  return Buffer.concat([cipher.update(challenge), cipher.final()])
}

/** Reads exact numbers of bytes from a socket, for a handshake. */
class ExactReader {
  constructor(private readonly socket: Socket) {}

  async take(count: number): Promise<Buffer> {
    for (;;) {
      const bytes: unknown = count === 0 ? Buffer.alloc(0) : this.socket.read(count)
      if (Buffer.isBuffer(bytes) && bytes.length === count) return bytes
      await this.#readable()
    }
  }

  /** Leaves what was not taken in the socket. */
  release(): void {
    this.socket.removeAllListeners('readable')
  }

  #readable(): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (finish: () => void): void => {
        this.socket.off('readable', readable).off('error', failed).off('end', ended)
        finish()
      }
      const readable = (): void => { done(resolve) }
      const failed = (error: Error): void => { done(() => { reject(error) }) }
      const ended = (): void => { done(() => { reject(new RingsideError('QEMU_FAILED', 'QEMU closed the screen before it was open.')) }) }
      this.socket.on('readable', readable).on('error', failed).on('end', ended)
    })
  }
}

/** A server's side of a handshake without a password, then the socket's bytes as they are. */
function standIn(socket: Socket): Duplex {
  // What the viewer still has to send of the handshake: its version, and the one type that it was offered.
  let expected = version.length + 1
  let offered = false
  const stream = new Duplex({
    read: () => { socket.resume() },
    write: (chunk: Buffer, _encoding, done) => {
      const rest = chunk.subarray(Math.min(expected, chunk.length))
      expected -= chunk.length - rest.length
      if (!offered && expected <= 1) {
        offered = true
        stream.push(Buffer.from([1, noAuthentication]))
        if (expected === 0) stream.push(Buffer.alloc(4))
      } else if (chunk.length > rest.length && expected === 0) stream.push(Buffer.alloc(4))
      if (rest.length === 0 || socket.write(rest)) done()
      else socket.once('drain', () => { done() })
    },
    final: (done) => { socket.end(done) },
    destroy: (error, done) => { socket.destroy(); done(error) },
  })
  stream.push(version)
  socket.on('data', (chunk: Buffer) => { if (!stream.push(chunk)) socket.pause() })
  socket.on('end', () => { stream.push(null) })
  socket.on('error', (error) => { stream.destroy(error) })
  socket.on('close', () => { stream.destroy() })
  return stream
}
