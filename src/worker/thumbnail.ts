import { promisify } from 'node:util'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { crc32, deflate, inflate } from 'node:zlib'

/** A thumbnail fits into this, in pixels: twice the size at which it is shown, for dense screens. */
const largest = { width: 400, height: 300 }
/** Rows that are worked on before consoles get their turn. */
const rowsPerTurn = 64

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)
/** Colour types of the PNG specification (section 11.2.1) that screens come in, with their bytes per pixel. */
const pixelBytes: Readonly<Record<number, number>> = { 2: 3, 6: 4 }

interface Picture {
  width: number
  height: number
  bytesPerPixel: number
  /** Compressed rows. */
  data: Uint8Array
}

/**
 * A smaller PNG of the same picture, each pixel the average of those it stands for. One that is small already, or is of a kind that screens are
 * not, comes back as it is. Works in small portions, because consoles are pumped by the same thread.
 */
export async function shrinkPng(png: Uint8Array): Promise<Uint8Array> {
  const picture = parse(png)
  if (picture === null) return png
  const factor = Math.max(picture.width / largest.width, picture.height / largest.height)
  if (factor <= 1) return png
  const rows = await promisify(inflate)(picture.data)
  const stride = picture.width * picture.bytesPerPixel
  if (rows.length < (stride + 1) * picture.height) return png
  const width = Math.max(1, Math.round(picture.width / factor))
  const height = Math.max(1, Math.round(picture.height / factor))
  const shrinker = new Shrinker(picture, width, height)
  for (let y = 0; y < picture.height; y += 1) {
    shrinker.addRow(rows, y)
    if (y % rowsPerTurn === rowsPerTurn - 1) await nextTurn()
  }
  return encode(shrinker.rows, width, height)
}

function parse(png: Uint8Array): Picture | null {
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength)
  if (bytes.length < 33 || Buffer.compare(bytes.subarray(0, 8), signature) !== 0) return null
  const data: Uint8Array[] = []
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = bytes.readUInt32BE(at)
    if (bytes.toString('latin1', at + 4, at + 8) === 'IDAT') data.push(bytes.subarray(at + 8, at + 8 + length))
    at += 12 + length
  }
  const [depth, colour, , , interlace] = bytes.subarray(24, 29)
  const bytesPerPixel = pixelBytes[colour ?? 0]
  if (depth !== 8 || interlace !== 0 || bytesPerPixel === undefined) return null
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20), bytesPerPixel, data: Buffer.concat(data) }
}

class Shrinker {
  /** Filtered rows of the small picture, ready to be compressed. */
  readonly rows: Uint8Array
  readonly #columnOf: Uint32Array
  readonly #sums: Float64Array
  readonly #counts: Uint32Array
  #previous: Uint8Array
  #current: Uint8Array
  #smallRow = 0
  #before: Uint8Array

  constructor(
    private readonly picture: Picture,
    private readonly width: number,
    private readonly height: number,
  ) {
    this.rows = new Uint8Array((width * 3 + 1) * height)
    this.#columnOf = Uint32Array.from({ length: picture.width }, (_, x) => Math.min(width - 1, Math.floor((x * width) / picture.width)))
    this.#sums = new Float64Array(width * 3)
    this.#counts = new Uint32Array(width)
    this.#previous = new Uint8Array(picture.width * picture.bytesPerPixel)
    this.#current = new Uint8Array(this.#previous.length)
    this.#before = new Uint8Array(width * 3)
  }

  addRow(rows: Uint8Array, y: number): void {
    const { bytesPerPixel, width, height } = this.picture
    const start = y * (this.#current.length + 1)
    unfilter(rows[start] ?? 0, rows.subarray(start + 1, start + 1 + this.#current.length), this.#previous, this.#current, bytesPerPixel)
    const smallRow = Math.min(this.height - 1, Math.floor((y * this.height) / height))
    if (smallRow !== this.#smallRow) this.#finishRow()
    this.#smallRow = smallRow
    const current = this.#current
    const sums = this.#sums
    for (let x = 0, from = 0; x < width; x += 1, from += bytesPerPixel) {
      const column = this.#columnOf[x] ?? 0
      const to = column * 3
      sums[to] = (sums[to] ?? 0) + (current[from] ?? 0)
      sums[to + 1] = (sums[to + 1] ?? 0) + (current[from + 1] ?? 0)
      sums[to + 2] = (sums[to + 2] ?? 0) + (current[from + 2] ?? 0)
      this.#counts[column] = (this.#counts[column] ?? 0) + 1
    }
    ;[this.#previous, this.#current] = [this.#current, this.#previous]
    if (y === height - 1) this.#finishRow()
  }

  /** Averages, written with the filter “up”, which suits screens: most of a row is like the one above it. */
  #finishRow(): void {
    const start = this.#smallRow * (this.width * 3 + 1)
    this.rows[start] = 2
    for (let index = 0; index < this.width * 3; index += 1) {
      const count = this.#counts[Math.floor(index / 3)] ?? 0
      const value = count === 0 ? 0 : Math.round((this.#sums[index] ?? 0) / count)
      this.rows[start + 1 + index] = value - (this.#before[index] ?? 0)
      this.#before[index] = value
    }
    this.#sums.fill(0)
    this.#counts.fill(0)
  }
}

/** Undoes the filter of one row (PNG specification, section 9.2). */
function unfilter(filter: number, row: Uint8Array, above: Uint8Array, into: Uint8Array, bytesPerPixel: number): void {
  for (let index = 0; index < row.length; index += 1) {
    const left = index < bytesPerPixel ? 0 : (into[index - bytesPerPixel] ?? 0)
    const up = above[index] ?? 0
    const upLeft = index < bytesPerPixel ? 0 : (above[index - bytesPerPixel] ?? 0)
    const predicted = filter === 0 ? 0 : filter === 1 ? left : filter === 2 ? up : filter === 3 ? (left + up) >> 1 : paeth(left, up, upLeft)
    into[index] = (row[index] ?? 0) + predicted
  }
}

function paeth(left: number, up: number, upLeft: number): number {
  const estimate = left + up - upLeft
  const toLeft = Math.abs(estimate - left)
  const toUp = Math.abs(estimate - up)
  const toUpLeft = Math.abs(estimate - upLeft)
  return toLeft <= toUp && toLeft <= toUpLeft ? left : toUp <= toUpLeft ? up : upLeft
}

async function encode(rows: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 0], 8)
  return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', await promisify(deflate)(rows)), chunk('IEND', new Uint8Array())])
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  framed.set(body, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}
