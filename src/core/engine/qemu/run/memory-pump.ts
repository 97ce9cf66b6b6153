import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import type { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress } from 'node:zlib'
import type { MemoryFile } from '../../engine'
import { cancelled } from './migration'

export interface PumpRequest {
  /** Where this process listens and QEMU connects. */
  socket: string
  /** Is there already, and empty. */
  file: string
  compression: MemoryFile['compression']
  /** QEMU must never see its connection break off, whatever becomes of the file and of this process. */
  unbroken: boolean
}

const pieceBytes = 1024 * 1024

/** What of it the reader does not want any more is thrown away, and so is all of it when the reader is gone. */
const holder = 'cat; exec cat >/dev/null'

/** The way of memory from QEMU through a socket into a file. (`exec:` would need a right to spawn, which QEMU's sandbox takes.) */
export class MemoryPump {
  readonly #arrival = Promise.withResolvers<Readable>()
  /** Resolves when QEMU has sent all and it is in the file. Rejects with what the file system said. */
  readonly written: Promise<void>

  private constructor(private readonly server: Server, private readonly request: PumpRequest) {
    const { file, compression, unbroken } = request
    this.#arrival.promise.catch(() => undefined)
    server.once('connection', (socket) => {
      // A reset after the pump has ended has nobody else to hear it; how the migration went is asked of QEMU.
      socket.on('error', () => undefined)
      this.#arrival.resolve(unbroken ? readThroughHolder(socket) : socket)
    })
    const target = createWriteStream(file, { flags: 'r+', highWaterMark: pieceBytes })
    this.written = this.#arrival.promise.then((source) => pipeline([source, ...compressors(compression), target]))
    this.written.catch(() => { target.destroy() })
  }

  static async open(request: PumpRequest): Promise<MemoryPump> {
    await rm(request.socket, { force: true })
    const server = createServer({ pauseOnConnect: true })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(request.socket, resolve)
    })
    return new MemoryPump(server, request)
  }

  /** Writes no more to the file, and listens no more. */
  async close(): Promise<void> {
    this.#arrival.reject(cancelled())
    void this.#arrival.promise.then((source) => { source.destroy() }, () => undefined)
    await new Promise<void>((resolve) => { this.server.close(() => { resolve() }) })
    await rm(this.request.socket, { force: true })
  }
}

/** Gives the connection to a process of its own, which reads it to its end whether or not anybody reads from that. */
function readThroughHolder(socket: Socket): Readable {
  const child = spawn('/bin/sh', ['-c', holder], { stdio: [socket, 'pipe', 'ignore'], detached: true })
  child.unref()
  // Its end of the connection is the only one that is read.
  socket.destroy()
  child.on('error', (error) => { child.stdout.destroy(error) })
  return child.stdout
}

/** The lowest level is the one that pays: it keeps up with QEMU, and higher ones save little more. The checksum tells a file that was damaged. */
function compressors(compression: MemoryFile['compression']): Transform[] {
  if (compression === 'none') return []
  return [createZstdCompress({ chunkSize: pieceBytes, params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 } })]
}
