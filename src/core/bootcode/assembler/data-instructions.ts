import { AssemblyError } from './code-buffer'
import { Encoder } from './encoder'
import { isLabelReference, isMemory, type LabelReference, type Memory, type Value } from './operands'
import {
  isControlRegister,
  isGeneralRegister,
  isSegmentRegister,
  registerFacts,
  segmentNumber,
  type ControlRegister,
  type GeneralRegister,
  type SegmentRegister,
  type Size,
} from './registers'

/** A general register or memory. */
export type Place = GeneralRegister | Memory
export type Source = Place | Value

/** The digit or row of the eight operations that share one encoding scheme (add r/m, r is row*8+1). */
const arithmetic = { add: 0, or: 1, adc: 2, sbb: 3, and: 4, sub: 5, xor: 6, cmp: 7 } as const
const shifts = { rol: 0, ror: 1, rcl: 2, rcr: 3, shl: 4, shr: 5, sar: 7 } as const
const unary = { not: 2, neg: 3, mul: 4, imul: 5, div: 6, idiv: 7 } as const
const stringOperations = { movs: 0xa4, cmps: 0xa6, stos: 0xaa, lods: 0xac, scas: 0xae } as const

/** Instructions that move and compute. Each comment-free method is the instruction of that name in the Intel SDM, destination first. */
export class DataInstructions extends Encoder {
  mov(target: Place | SegmentRegister | ControlRegister, source: Source | SegmentRegister | ControlRegister): this {
    if (isControlRegister(target)) return this.controlMove(0x22, target, source)
    if (isControlRegister(source)) return this.controlMove(0x20, source, target)
    if (isSegmentRegister(target)) return this.encode({ opcode: [0x8e], reg: segmentNumber(target), rm: place(source) })
    if (isSegmentRegister(source)) return this.encode({ opcode: [0x8c], reg: segmentNumber(source), rm: place(target) })
    if (isGeneralRegister(source)) return this.registerForm(0x88, source, target)
    if (isMemory(source)) {
      if (!isGeneralRegister(target)) throw new AssemblyError('mov has at most one memory operand')
      return this.registerForm(0x8a, target, source)
    }
    return this.moveImmediate(target, source)
  }

  add = this.arithmeticMethod('add')
  or = this.arithmeticMethod('or')
  adc = this.arithmeticMethod('adc')
  sbb = this.arithmeticMethod('sbb')
  and = this.arithmeticMethod('and')
  sub = this.arithmeticMethod('sub')
  xor = this.arithmeticMethod('xor')
  cmp = this.arithmeticMethod('cmp')

  rol = this.shiftMethod('rol')
  ror = this.shiftMethod('ror')
  rcl = this.shiftMethod('rcl')
  rcr = this.shiftMethod('rcr')
  shl = this.shiftMethod('shl')
  shr = this.shiftMethod('shr')
  sar = this.shiftMethod('sar')

  not = this.unaryMethod('not')
  neg = this.unaryMethod('neg')
  mul = this.unaryMethod('mul')
  div = this.unaryMethod('div')
  idiv = this.unaryMethod('idiv')

  movsb = this.stringMethod('movs', 8)
  movsw = this.stringMethod('movs', 16)
  movsd = this.stringMethod('movs', 32)
  cmpsb = this.stringMethod('cmps', 8)
  stosb = this.stringMethod('stos', 8)
  stosw = this.stringMethod('stos', 16)
  stosd = this.stringMethod('stos', 32)
  stosq = this.stringMethod('stos', 64)
  lodsb = this.stringMethod('lods', 8)
  lodsw = this.stringMethod('lods', 16)
  lodsd = this.stringMethod('lods', 32)
  scasb = this.stringMethod('scas', 8)

  /** The prefix that repeats the string instruction after it (e)cx times. */
  rep(): this {
    return this.byte(0xf3)
  }

  /** The prefix that repeats a comparison while it finds equality. */
  repe(): this {
    return this.byte(0xf3)
  }

  /** The prefix that makes the string instruction after it use esi, edi and ecx in 16-bit code. */
  wideAddresses(): this {
    if (this.codeBits !== 16) throw new AssemblyError('Addresses are wide already')
    return this.byte(0x67)
  }

  /** `imul rm` (into dx:ax and its wider kin), or `imul target, source`. */
  imul(target: Place, source?: Place): this {
    if (source === undefined) return this.unaryForm('imul', target)
    if (!isGeneralRegister(target)) throw new AssemblyError('imul writes to a register')
    return this.encode({ opcode: [0x0f, 0xaf], size: registerFacts(target).size, ...regField(target), rm: source })
  }

  test(left: Place, right: GeneralRegister | number): this {
    if (isGeneralRegister(right)) return this.registerForm(0x84, right, left)
    const size = sizeOf(left)
    return this.encode({
      opcode: [size === 8 ? 0xf6 : 0xf7],
      size,
      reg: 0,
      rm: left,
      immediate: { value: right, bytes: immediateBytes(size) },
    })
  }

  /** Bit `bit` of `left` into the carry flag. */
  bt(left: Place, bit: number): this {
    return this.encode({ opcode: [0x0f, 0xba], size: sizeOf(left), reg: 4, rm: left, immediate: { value: bit, bytes: 1 } })
  }

  xchg(left: Place, right: GeneralRegister): this {
    return this.registerForm(0x86, right, left)
  }

  lea(target: GeneralRegister, source: Memory): this {
    return this.encode({ opcode: [0x8d], size: registerFacts(target).size, ...regField(target), rm: source })
  }

  movzx(target: GeneralRegister, source: Place): this {
    return this.extend(0xb6, target, source)
  }

  movsx(target: GeneralRegister, source: Place): this {
    return this.extend(0xbe, target, source)
  }

  inc(target: Place): this {
    return this.step(0, 0x40, target)
  }

  dec(target: Place): this {
    return this.step(1, 0x48, target)
  }

  push(source: GeneralRegister | SegmentRegister | Memory | number): this {
    if (isSegmentRegister(source)) return this.segmentStack(0x06, 0xa0, source)
    if (isGeneralRegister(source))
      return this.encode({ opcode: [0x50], size: registerFacts(source).size, defaults64: true, plusRegister: registerFacts(source) })
    if (isMemory(source)) return this.encode({ opcode: [0xff], size: sizeOf(source), defaults64: true, reg: 6, rm: source })
    if (fitsByte(source)) return this.encode({ opcode: [0x6a], immediate: { value: source, bytes: 1 } })
    return this.encode({ opcode: [0x68], immediate: { value: source, bytes: this.codeBits === 16 ? 2 : 4 } })
  }

  pop(target: GeneralRegister | SegmentRegister | Memory): this {
    if (isSegmentRegister(target)) return this.segmentStack(0x07, 0xa1, target)
    if (isGeneralRegister(target))
      return this.encode({ opcode: [0x58], size: registerFacts(target).size, defaults64: true, plusRegister: registerFacts(target) })
    return this.encode({ opcode: [0x8f], size: sizeOf(target), defaults64: true, reg: 0, rm: target })
  }

  /** Saves all eight general registers; `pushad` in 32-bit code. Not in 64-bit code. */
  pusha(): this {
    return this.notIn64('pusha').byte(0x60)
  }

  popa(): this {
    return this.notIn64('popa').byte(0x61)
  }

  pushf(): this {
    return this.byte(0x9c)
  }

  popf(): this {
    return this.byte(0x9d)
  }

  /** al into ax. */
  cbw(): this {
    return this.encode({ opcode: [0x98], size: 16 })
  }

  /** Moves a general register into the low part of a vector register: `movq xmm, r64`, or `movd xmm, r32`. */
  movToVector(target: `xmm${number}`, source: GeneralRegister): this {
    const { size } = registerFacts(source)
    return this.encode({ opcode: [0x0f, 0x6e], mandatoryPrefix: 0x66, size, reg: Number(target.slice(3)), rm: source })
  }

  protected notIn64(name: string): this {
    if (this.codeBits === 64) throw new AssemblyError(`${name} doesn't exist in 64-bit code`)
    return this
  }

  private arithmeticMethod(name: keyof typeof arithmetic): (target: Place, source: Source) => this {
    const row = arithmetic[name]
    return (target, source) => {
      if (isGeneralRegister(source)) return this.registerForm(row * 8, source, target)
      if (isMemory(source)) {
        if (!isGeneralRegister(target)) throw new AssemblyError(`${name} has at most one memory operand`)
        return this.registerForm(row * 8 + 2, target, source)
      }
      const size = sizeOf(target)
      if (size === 8) return this.encode({ opcode: [0x80], size, reg: row, rm: target, immediate: { value: source, bytes: 1 } })
      const short = !isLabelReference(source) && fitsByte(source)
      const immediate = { value: source, bytes: short ? (1 as const) : immediateBytes(size) }
      return this.encode({ opcode: [short ? 0x83 : 0x81], size, reg: row, rm: target, immediate })
    }
  }

  private shiftMethod(name: keyof typeof shifts): (target: Place, count: number | 'cl') => this {
    return (target, count) => {
      const size = sizeOf(target)
      const wide = size === 8 ? 0 : 1
      if (count === 'cl') return this.encode({ opcode: [0xd2 | wide], size, reg: shifts[name], rm: target })
      if (count === 1) return this.encode({ opcode: [0xd0 | wide], size, reg: shifts[name], rm: target })
      return this.encode({ opcode: [0xc0 | wide], size, reg: shifts[name], rm: target, immediate: { value: count, bytes: 1 } })
    }
  }

  private unaryMethod(name: keyof typeof unary): (target: Place) => this {
    return (target) => this.unaryForm(name, target)
  }

  private unaryForm(name: keyof typeof unary, target: Place): this {
    const size = sizeOf(target)
    return this.encode({ opcode: [size === 8 ? 0xf6 : 0xf7], size, reg: unary[name], rm: target })
  }

  private stringMethod(name: keyof typeof stringOperations, size: Size): () => this {
    const opcode = [stringOperations[name] | (size === 8 ? 0 : 1)]
    return () => this.encode({ opcode, size })
  }

  /** `opcode` for bytes, `opcode + 1` for the wider sizes; the register's size must agree with the other operand's. */
  private registerForm(opcode: number, register: GeneralRegister, other: Place): this {
    const { size } = registerFacts(register)
    const otherSize = isMemory(other) ? (other.size ?? size) : registerFacts(other).size
    if (otherSize !== size) throw new AssemblyError(`${register} has ${String(size)} bits and the other operand ${String(otherSize)}`)
    return this.encode({ opcode: [opcode | (size === 8 ? 0 : 1)], size, ...regField(register), rm: other })
  }

  private moveImmediate(target: Place, value: Value): this {
    const size = sizeOf(target)
    if (isMemory(target))
      return this.encode({
        opcode: [size === 8 ? 0xc6 : 0xc7],
        size,
        reg: 0,
        rm: target,
        immediate: { value, bytes: immediateBytes(size) },
      })
    if (size === 64 && fitsSignedDword(value))
      return this.encode({ opcode: [0xc7], size, reg: 0, rm: target, immediate: { value, bytes: 4 } })
    const bytes = (size / 8) as 1 | 2 | 4 | 8
    return this.encode({ opcode: [size === 8 ? 0xb0 : 0xb8], size, plusRegister: registerFacts(target), immediate: { value, bytes } })
  }

  private controlMove(opcode: number, control: ControlRegister, other: unknown): this {
    if (!isGeneralRegister(other)) throw new AssemblyError(`${control} moves to and from general registers only`)
    const expected = this.codeBits === 64 ? 64 : 32
    if (registerFacts(other).size !== expected) throw new AssemblyError(`${control} moves as ${String(expected)} bits here`)
    return this.encode({ opcode: [0x0f, opcode], reg: Number(control.slice(2)), rm: other })
  }

  private extend(opcode: number, target: GeneralRegister, source: Place): this {
    const from = sizeOf(source)
    if (from !== 8 && from !== 16) throw new AssemblyError('movzx and movsx widen 8 or 16 bits')
    // The source's facts matter too: sil and its kin need a REX prefix, which encode() takes from rm.
    return this.encode({
      opcode: [0x0f, from === 8 ? opcode : opcode | 1],
      size: registerFacts(target).size,
      ...regField(target),
      rm: source,
    })
  }

  private step(digit: 0 | 1, shortOpcode: number, target: Place): this {
    const size = sizeOf(target)
    const short = isGeneralRegister(target) && size !== 8 && this.codeBits !== 64
    if (short) return this.encode({ opcode: [shortOpcode], size, plusRegister: registerFacts(target) })
    return this.encode({ opcode: [size === 8 ? 0xfe : 0xff], size, reg: digit, rm: target })
  }

  /** es, cs, ss and ds have one-byte forms that 64-bit mode lost; fs and gs have 0F forms. */
  private segmentStack(short: number, long: number, register: SegmentRegister): this {
    const number = segmentNumber(register)
    if (number >= 4) return this.byte(0x0f, long + (number - 4) * 8)
    if (register === 'cs' && short === 0x07) throw new AssemblyError('cs can be pushed but not popped')
    return this.notIn64(`push or pop of ${register}`).byte(short + number * 8)
  }
}

function regField(register: GeneralRegister): { reg: number; regFacts: ReturnType<typeof registerFacts> } {
  const facts = registerFacts(register)
  return { reg: facts.number, regFacts: facts }
}

function place(operand: unknown): Place {
  if (isGeneralRegister(operand) || isMemory(operand)) return operand
  throw new AssemblyError('A segment register moves to and from a register or memory only')
}

function sizeOf(operand: Place): Size {
  const size = isMemory(operand) ? operand.size : registerFacts(operand).size
  if (size === null) throw new AssemblyError('The size of a memory operand must be given: use byteAt, wordAt, dwordAt or qwordAt')
  return size
}

/** Immediates of 64-bit operands have 32 bits, sign-extended. */
function immediateBytes(size: Size): 1 | 2 | 4 {
  return size === 8 ? 1 : size === 16 ? 2 : 4
}

function fitsByte(value: number | bigint): boolean {
  return value >= -128 && value <= 127
}

function fitsSignedDword(value: number | bigint | LabelReference): boolean {
  if (isLabelReference(value)) return false
  return value >= -0x80000000 && value <= 0x7fffffff
}
