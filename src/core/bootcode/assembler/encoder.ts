import { AssemblyError, CodeBuffer } from './code-buffer'
import { isMemory, type Memory, type Value } from './operands'
import {
  registerFacts,
  type AddressRegister,
  type Bits,
  type GeneralRegister,
  type RegisterFacts,
  type SegmentRegister,
  type Size,
} from './registers'

/** One instruction as the manual's opcode column writes it. */
export interface Encoding {
  opcode: number[]
  /** F2, F3 or 66 where it is part of the opcode. */
  mandatoryPrefix?: number
  /** Operand size: decides the 66 prefix and REX.W. Omitted: the instruction has none of its own. */
  size?: Size
  /** In 64-bit code the operand is 64 bits without REX.W (push, pop). */
  defaults64?: boolean
  /** ModRM.reg: a register's number, or the digit of the manual's `/digit`. Omitted: no ModRM byte. */
  reg?: number
  /** General register behind `reg`, for the REX rules of byte registers. */
  regFacts?: RegisterFacts
  rm?: GeneralRegister | Memory
  /** The low three bits of the opcode's last byte name this register (`+r`). */
  plusRegister?: RegisterFacts
  immediate?: { value: Value; bytes: 1 | 2 | 4 | 8 }
}

interface Address {
  /** ModRM.mod and ModRM.rm. */
  mod: number
  rm: number
  sib: number | null
  displacement: { bytes: 0 | 1 | 2 | 4; relative: boolean }
}

const segmentPrefixes: Record<SegmentRegister, number> = { es: 0x26, cs: 0x2e, ss: 0x36, ds: 0x3e, fs: 0x64, gs: 0x65 }

/** ModRM.rm of the address forms that 16-bit addressing has (Intel SDM vol. 2, table 2-1). */
const forms16: Record<string, number> = { 'bx+si': 0, 'bx+di': 1, 'bp+si': 2, 'bp+di': 3, si: 4, di: 5, bp: 6, bx: 7 }

/** Turns instructions into prefixes, opcode, ModRM, SIB, displacement and immediate (Intel SDM vol. 2, chapter 2). */
export class Encoder extends CodeBuffer {
  #bits: Bits = 16

  /** How many bits the processor's code segment has from here on. */
  get codeBits(): Bits {
    return this.#bits
  }

  bits(bits: Bits): this {
    this.#bits = bits
    return this
  }

  protected encode(encoding: Encoding): this {
    const { rm, size } = encoding
    const memory = isMemory(rm) ? rm : null
    const rmFacts = rm !== undefined && !isMemory(rm) ? registerFacts(rm) : null
    this.prefixes(encoding, memory)
    this.rex(encoding, rmFacts, memory)
    const opcode = [...encoding.opcode]
    if (encoding.plusRegister) opcode.push((opcode.pop() ?? 0) | (encoding.plusRegister.number & 7))
    this.byte(...opcode)
    const trailing = encoding.immediate?.bytes ?? 0
    if (memory) this.memoryOperand(memory, encoding.reg ?? 0, trailing)
    else if (rmFacts) this.byte(0xc0 | (((encoding.reg ?? 0) & 7) << 3) | (rmFacts.number & 7))
    if (encoding.immediate) this.value(encoding.immediate.value, encoding.immediate.bytes)
    if (size === 64 && this.#bits !== 64) throw new AssemblyError(`A 64-bit operand in ${String(this.#bits)}-bit code`)
    return this
  }

  private prefixes(encoding: Encoding, memory: Memory | null): void {
    if (memory?.segment) this.byte(segmentPrefixes[memory.segment])
    if (memory && this.addressSize(memory) !== this.#bits) this.byte(0x67)
    if ((encoding.size === 16 && this.#bits !== 16) || (encoding.size === 32 && this.#bits === 16)) this.byte(0x66)
    if (encoding.mandatoryPrefix !== undefined) this.byte(encoding.mandatoryPrefix)
  }

  private rex(encoding: Encoding, rmFacts: RegisterFacts | null, memory: Memory | null): void {
    const wide = encoding.size === 64 && encoding.defaults64 !== true
    const last = rmFacts ?? encoding.plusRegister ?? (memory?.base ? registerFacts(memory.base) : null)
    const index = memory?.index ? registerFacts(memory.index) : null
    const high = (number: number | undefined): number => ((number ?? 0) >> 3) & 1
    const bits = (wide ? 8 : 0) | (high(encoding.reg) << 2) | (high(index?.number) << 1) | high(last?.number)
    const involved = [encoding.regFacts, encoding.plusRegister, rmFacts]
    if (bits === 0 && !involved.some((facts) => facts?.needsRex === true)) return
    if (this.#bits !== 64) throw new AssemblyError(`A register of 64-bit mode in ${String(this.#bits)}-bit code`)
    if (involved.some((facts) => facts?.refusesRex === true)) throw new AssemblyError("ah, bh, ch and dh can't stand beside a REX prefix")
    this.byte(0x40 | bits)
  }

  private addressSize(memory: Memory): Bits {
    const register = memory.base ?? memory.index
    if (!register) return this.#bits
    const { size } = registerFacts(register)
    if (size === 8) throw new AssemblyError(`${register} can't address memory`)
    return size
  }

  private memoryOperand(memory: Memory, reg: number, trailing: number): void {
    const address = this.addressSize(memory) === 16 ? this.address16(memory) : this.address32(memory)
    this.byte((address.mod << 6) | ((reg & 7) << 3) | address.rm)
    if (address.sib !== null) this.byte(address.sib)
    const { bytes, relative } = address.displacement
    if (bytes === 0) return
    if (memory.label === null) this.value(memory.displacement, bytes)
    else if (relative) this.relative(memory.label, 4, memory.displacement, trailing)
    else this.value({ label: memory.label, addend: memory.displacement }, bytes)
  }

  private address16(memory: Memory): Address {
    const names = [memory.base, memory.index].filter((name) => name !== null)
    if (names.length === 0) return { mod: 0, rm: 6, sib: null, displacement: { bytes: 2, relative: false } }
    const rm = forms16[names.join('+')] ?? forms16[names.toReversed().join('+')]
    if (rm === undefined || memory.scale !== 1) throw new AssemblyError(`16-bit code can't address [${names.join('+')}]`)
    const bytes = this.displacementBytes(memory, 2, rm === 6)
    return { mod: bytes === 0 ? 0 : bytes === 1 ? 1 : 2, rm, sib: null, displacement: { bytes, relative: false } }
  }

  private address32(memory: Memory): Address {
    if (!memory.base) return this.addressWithoutBase(memory)
    const base = registerFacts(memory.base).number & 7
    const bytes = this.displacementBytes(memory, 4, base === 5)
    const mod = bytes === 0 ? 0 : bytes === 1 ? 1 : 2
    const displacement = { bytes, relative: false }
    if (!memory.index && base !== 4) return { mod, rm: base, sib: null, displacement }
    return { mod, rm: 4, sib: this.sib(memory.index, memory.scale, base), displacement }
  }

  /** A bare address: relative to the instruction pointer for a label in 64-bit code, else absolute. */
  private addressWithoutBase(memory: Memory): Address {
    if (memory.index) return { mod: 0, rm: 4, sib: this.sib(memory.index, memory.scale, 5), displacement: { bytes: 4, relative: false } }
    const relative = this.#bits === 64 && memory.label !== null
    if (this.#bits !== 64 || relative) return { mod: 0, rm: 5, sib: null, displacement: { bytes: 4, relative } }
    return { mod: 0, rm: 4, sib: this.sib(null, 1, 5), displacement: { bytes: 4, relative } }
  }

  private sib(index: AddressRegister | null, scale: number, base: number): number {
    if (index === 'esp' || index === 'rsp') throw new AssemblyError(`${index} can't be an index`)
    const number = index ? registerFacts(index).number & 7 : 4
    return (Math.log2(scale) << 6) | (number << 3) | base
  }

  private displacementBytes(memory: Memory, full: 2 | 4, needsOne: boolean): 0 | 1 | 2 | 4 {
    if (memory.label !== null) return full
    if (memory.displacement === 0) return needsOne ? 1 : 0
    return memory.displacement >= -128 && memory.displacement <= 127 ? 1 : full
  }
}
