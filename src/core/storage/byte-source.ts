import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import { fileError } from '../config'

/** Bytes to look into, without reading them all. */
export interface ByteSource {
  readonly size: number
  /** What is there of the range: shorter than asked for at the end, empty beyond it. At most `maximumRead` bytes. */
  read(offset: number, length: number): Promise<Buffer>
}

/** No look into a file reads more than this at once, whatever the file claims about itself. */
export const maximumRead = 8 * 1024 * 1024

/** An ordinary file, opened for reading. */
export class FileSource implements ByteSource, AsyncDisposable {
  private constructor(
    private readonly handle: FileHandle,
    readonly size: number,
    /** Bytes that it takes on the drive: fewer than `size` for a sparse file. */
    readonly allocatedBytes: number,
    /** Names the file itself, whatever its path: device and inode. */
    readonly identity: string,
  ) {}

  /** Throws `FILE_NOT_FOUND`, `NOT_A_FILE`, `FILE_UNREADABLE`, `INVALID_INPUT`. Never waits, as opening a pipe would. */
  static async open(path: string): Promise<FileSource> {
    if (path.includes('\0')) throw new RingsideError('INVALID_INPUT', 'A path has no zero characters.', { hint: 'Choose another file.' })
    // O_NONBLOCK does not exist on Windows, where a path never names a pipe that waits for its other end.
    const nonBlocking = (constants as { O_NONBLOCK?: number }).O_NONBLOCK ?? 0
    let handle: FileHandle
    try {
      handle = await open(path, constants.O_RDONLY | nonBlocking)
    } catch (cause) {
      throw fileError(cause, path, 'read')
    }
    try {
      const found = await handle.stat({ bigint: true })
      if (found.isDirectory()) throw fileError({ code: 'EISDIR' }, path, 'read')
      if (!found.isFile()) {
        throw new RingsideError('NOT_A_FILE', `This is no ordinary file but a device, pipe or socket: ${path}`, {
          path,
          hint: 'Choose a file.',
        })
      }
      const allocated = process.platform === 'win32' ? found.size : found.blocks * 512n
      return new FileSource(handle, Number(found.size), Number(allocated), `${String(found.dev)}:${String(found.ino)}`)
    } catch (error) {
      await handle.close()
      throw fileError(error, path, 'read')
    }
  }

  async read(offset: number, length: number): Promise<Buffer> {
    return readFully(this.size, offset, length, (buffer, done) => this.handle.read(buffer, done, buffer.length - done, offset + done))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle.close()
  }
}

async function readFully(
  size: number,
  offset: number,
  length: number,
  readInto: (buffer: Buffer, done: number) => Promise<{ bytesRead: number }>,
): Promise<Buffer> {
  if (offset >= size || length <= 0) return Buffer.alloc(0)
  const buffer = Buffer.alloc(Math.min(length, size - offset, maximumRead))
  let done = 0
  while (done < buffer.length) {
    const { bytesRead } = await readInto(buffer, done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return buffer.subarray(0, done)
}

/** Bytes in memory. */
export function memorySource(bytes: Uint8Array): ByteSource {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return {
    size: buffer.length,
    read: (offset, length) => Promise.resolve(Buffer.from(buffer.subarray(offset, offset + Math.min(length, maximumRead)))),
  }
}
