/**
 * Cuts a byte stream into lines. QMP ends each message with CR LF or LF [docs/interop/qmp-spec]; a message may arrive in any
 * number of pieces, cut even inside a character.
 */
export class LineSplitter {
  #pieces: Uint8Array[] = []
  #length = 0

  /** @param limit bytes that one line may have; a longer one throws, since the other side is no monitor */
  constructor(private readonly limit: number) {}

  /** Lines that are whole now, without their ends. Empty lines are left out. */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = []
    let start = 0
    for (let end = chunk.indexOf(10, start); end !== -1; end = chunk.indexOf(10, start)) {
      this.#keep(chunk.subarray(start, end))
      const line = this.#take()
      if (line !== '') lines.push(line)
      start = end + 1
    }
    this.#keep(chunk.subarray(start))
    return lines
  }

  #keep(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.#length += piece.length
    if (this.#length > this.limit) throw new RangeError(`A line has more than ${String(this.limit)} bytes.`)
    this.#pieces.push(piece)
  }

  #take(): string {
    const line = Buffer.concat(this.#pieces).toString('utf8').trim()
    this.#pieces = []
    this.#length = 0
    return line
  }
}
