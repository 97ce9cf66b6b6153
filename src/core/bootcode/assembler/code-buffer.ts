import { isLabelReference, type Value } from './operands'

/** A mistake in the program being assembled: a defect of ours, never the user's. */
export class AssemblyError extends Error {
  override readonly name = 'AssemblyError'
}

/** A hole to fill once every label has its address. */
interface Fixup {
  offset: number
  bytes: 1 | 2 | 4 | 8
  label: string
  addend: number
  /** Relative to this address (the end of the instruction); null: the address itself. */
  relativeTo: number | null
}

/**
 * Bytes with labels. An address is `origin` plus the offset from the start. A label that begins with a dot belongs to the
 * last label without one, so that routines can each have their own `.loop`.
 */
export class CodeBuffer {
  readonly origin: number
  readonly #bytes: number[] = []
  readonly #labels = new Map<string, number>()
  readonly #fixups: Fixup[] = []
  #scope = ''

  /** @param origin the address at which the first byte will stand when it runs */
  constructor(origin = 0) {
    this.origin = origin
  }

  /** The address of the next byte. */
  get address(): number {
    return this.origin + this.#bytes.length
  }

  label(name: string): this {
    const full = this.fullName(name)
    if (this.#labels.has(full)) throw new AssemblyError(`The label ${full} is defined twice`)
    this.#labels.set(full, this.address)
    if (!name.startsWith('.')) this.#scope = name
    return this
  }

  /** The address of a label that is already defined; undefined for one that comes later. */
  addressOf(name: string): number | undefined {
    return this.#labels.get(this.fullName(name))
  }

  byte(...values: number[]): this {
    for (const value of values) this.value(value, 1)
    return this
  }

  word(...values: Value[]): this {
    for (const value of values) this.value(value, 2)
    return this
  }

  dword(...values: Value[]): this {
    for (const value of values) this.value(value, 4)
    return this
  }

  qword(...values: Value[]): this {
    for (const value of values) this.value(value, 8)
    return this
  }

  /** ASCII text without a terminator. */
  text(content: string): this {
    for (const character of content) {
      const code = character.codePointAt(0) ?? 0
      if (code > 0xff) throw new AssemblyError(`"${character}" doesn't fit into one byte`)
      this.#bytes.push(code)
    }
    return this
  }

  /** Bytes as they are. */
  data(content: Uint8Array): this {
    for (const byte of content) this.#bytes.push(byte)
    return this
  }

  /** Fills up to `address`. Fails when the program is already past it. */
  padTo(address: number, filler = 0): this {
    if (address < this.address) throw new AssemblyError(`The program is ${String(this.address - address)} bytes past ${hex(address)}`)
    while (this.address < address) this.#bytes.push(filler)
    return this
  }

  align(bytes: number, filler = 0): this {
    return this.padTo(Math.ceil(this.address / bytes) * bytes, filler)
  }

  /** The program with every label filled in. */
  assemble(): Uint8Array {
    const program = Uint8Array.from(this.#bytes)
    for (const fixup of this.#fixups) {
      const address = this.#labels.get(fixup.label)
      if (address === undefined) throw new AssemblyError(`The label ${fixup.label} is used but never defined`)
      const value = address + fixup.addend - (fixup.relativeTo ?? 0)
      if (fixup.relativeTo !== null) checkSigned(value, fixup.bytes, `the distance to ${fixup.label}`)
      program.set(littleEndian(BigInt(value), fixup.bytes, `the address of ${fixup.label}`), fixup.offset)
    }
    return program
  }

  /** Appends a number of `bytes` bytes, or a hole for it. */
  protected value(value: Value, bytes: 1 | 2 | 4 | 8): void {
    if (isLabelReference(value)) this.hole(value.label, value.addend, bytes, null)
    else this.#bytes.push(...littleEndian(BigInt(value), bytes, 'the value'))
  }

  /** @param trailing bytes of the same instruction after the hole */
  protected relative(label: string, bytes: 1 | 2 | 4, addend = 0, trailing = 0): void {
    this.hole(label, addend, bytes, this.address + bytes + trailing)
  }

  protected hole(label: string, addend: number, bytes: 1 | 2 | 4 | 8, relativeTo: number | null): void {
    this.#fixups.push({ offset: this.#bytes.length, bytes, label: this.fullName(label), addend, relativeTo })
    for (let index = 0; index < bytes; index++) this.#bytes.push(0)
  }

  private fullName(name: string): string {
    return name.startsWith('.') ? this.#scope + name : name
  }
}

/** The number in `bytes` bytes, least significant first; negative numbers in two's complement. */
function littleEndian(value: bigint, bytes: number, what: string): Uint8Array {
  const limit = 1n << BigInt(bytes * 8)
  if (value >= limit || value < -(limit >> 1n))
    throw new AssemblyError(`${what} 0x${value.toString(16)} doesn't fit into ${String(bytes)} bytes`)
  let rest = BigInt.asUintN(bytes * 8, value)
  const result = new Uint8Array(bytes)
  for (let index = 0; index < bytes; index++) {
    result[index] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return result
}

function checkSigned(value: number, bytes: number, what: string): void {
  const half = 2 ** (bytes * 8 - 1)
  if (value < -half || value >= half) throw new AssemblyError(`${what} is ${String(value)}: too far for ${String(bytes)} bytes`)
}

function hex(value: number): string {
  return `0x${value.toString(16)}`
}
