import type { Duplex } from 'node:stream'

/**
 * The shortest RFB 3.8 client there can be: connects, asks for the whole screen, resolves when the first
 * FramebufferUpdate has begun to arrive. (RFC 6143, sections 7.1 to 7.6.)
 * @returns milliseconds from the call to that byte
 */
export async function firstFrameMs(stream: Duplex): Promise<number> {
  const began = performance.now()
  const reader = new ByteReader(stream)
  await reader.take(12)
  stream.write('RFB 003.008\n')
  const types = await reader.take((await reader.take(1))[0] ?? 0)
  if (!types.includes(1)) throw new Error('The server wants a password.')
  stream.write(Buffer.from([1]))
  if ((await reader.take(4)).readUInt32BE() !== 0) throw new Error('The server refused the client.')
  stream.write(Buffer.from([1]))
  const init = await reader.take(24)
  await reader.take(init.readUInt32BE(20))
  const request = Buffer.alloc(10)
  request[0] = 3
  init.copy(request, 6, 0, 4)
  stream.write(request)
  for (;;) {
    const [type] = await reader.take(1)
    if (type === 0) return performance.now() - began
    if (type !== 2) throw new Error(`Message ${String(type)} came before the first frame.`)
  }
}

class ByteReader {
  private held = Buffer.alloc(0)
  private wake: () => void = () => undefined
  private failure: Error | null = null

  constructor(stream: Duplex) {
    stream.on('data', (bytes: Buffer) => {
      this.held = Buffer.concat([this.held, bytes])
      this.wake()
    })
    stream.on('error', (error: Error) => {
      this.fail(error)
    })
    stream.on('close', () => {
      this.fail(new Error('The server closed the connection.'))
    })
  }

  async take(count: number): Promise<Buffer> {
    while (this.held.length < count) {
      if (this.failure) throw this.failure
      await new Promise<void>((wake) => (this.wake = wake))
    }
    const taken = this.held.subarray(0, count)
    this.held = this.held.subarray(count)
    return taken
  }

  private fail(error: Error): void {
    this.failure = error
    this.wake()
  }
}
