/** The last bytes of a stream, at most `capacity` and somewhat more while they arrive. */
export class Scrollback {
  #chunks: Uint8Array[] = []
  #length = 0
  /** Whether bytes have fallen out at the front. */
  #cut = false

  constructor(private readonly capacity: number) {}

  get length(): number {
    return this.#length
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (bytes.length >= this.capacity) {
      this.#cut ||= this.#length > 0 || bytes.length > this.capacity
      this.#chunks = [bytes.slice(bytes.length - this.capacity)]
      this.#length = this.capacity
      return
    }
    this.#append(bytes)
    let first = this.#chunks[0]
    while (first !== undefined && this.#length - first.length >= this.capacity) {
      this.#chunks.shift()
      this.#length -= first.length
      this.#cut = true
      first = this.#chunks[0]
    }
  }

  /** Says that what is in here was itself cut out of something longer. */
  markCut(): void {
    this.#cut = true
  }

  /**
   * What a terminal can be given. When the beginning is missing it starts behind the first line break, so that it does not start inside
   * an escape sequence or a character.
   */
  contents(): Uint8Array {
    const all = Buffer.concat(this.#chunks)
    if (!this.#cut) return all
    const lineBreak = all.indexOf(0x0a)
    return lineBreak < 0 ? all : all.subarray(lineBreak + 1)
  }

  /** A guest's console often sends a byte at a time: small pieces are gathered, so that memory is spent on bytes and not on objects. */
  #append(bytes: Uint8Array): void {
    const last = this.#chunks.at(-1)
    if (last !== undefined && last.length + bytes.length <= gather) {
      const joined = Buffer.allocUnsafeSlow(last.length + bytes.length)
      joined.set(last)
      joined.set(bytes, last.length)
      this.#chunks[this.#chunks.length - 1] = joined
    } else {
      this.#chunks.push(bytes.slice())
    }
    this.#length += bytes.length
  }
}

const gather = 1024
