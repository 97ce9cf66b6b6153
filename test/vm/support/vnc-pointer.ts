import type { Duplex } from 'node:stream'

/** A viewer of a guest's screen that does nothing but point, by the protocol that our own speaks [RFC 6143]: like that one it knows nothing of relative pointers. */
export class VncPointer implements Disposable {
  private constructor(private readonly stream: Duplex) {}

  static async connect(stream: Duplex): Promise<VncPointer> {
    const bytes = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>
    let received = Buffer.alloc(0)
    const read = async (count: number): Promise<Buffer> => {
      while (received.length < count) {
        const next = await bytes.next()
        if (next.done === true) throw new Error('The screen was closed.')
        received = Buffer.concat([received, next.value])
      }
      const taken = received.subarray(0, count)
      received = received.subarray(count)
      return taken
    }
    await read(12)
    stream.write('RFB 003.008\n')
    await read((await read(1)).readUInt8())
    // No password: whoever can open the console may.
    stream.write(Buffer.from([1]))
    await read(4)
    stream.write(Buffer.from([1]))
    await read((await read(24)).readUInt32BE(20))
    // The encodings that it knows, raw pictures alone: only from then on QEMU takes what it points at for places.
    stream.write(Buffer.from([2, 0, 0, 1, 0, 0, 0, 0]))
    return new VncPointer(stream)
  }

  moveTo(x: number, y: number): void {
    const message = Buffer.from([5, 0, 0, 0, 0, 0])
    message.writeUInt16BE(x, 2)
    message.writeUInt16BE(y, 4)
    this.stream.write(message)
  }

  /** Moves to and fro as long as the work takes. */
  async moveDuring<T>(work: Promise<T>): Promise<T> {
    let moves = 0
    const timer = setInterval(() => {
      moves += 1
      this.moveTo(100 + (moves % 50) * 4, 100 + (moves % 40) * 3)
    }, 20)
    try {
      return await work
    } finally {
      clearInterval(timer)
    }
  }

  [Symbol.dispose](): void {
    this.stream.destroy()
  }
}
