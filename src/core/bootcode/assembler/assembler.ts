import { AssemblyError } from './code-buffer'
import { DataInstructions, type Place } from './data-instructions'
import { isMemory, type LabelReference, type Memory } from './operands'
import { isGeneralRegister, registerFacts } from './registers'

/** The low four bits of the opcodes of conditional jumps. */
const conditions = {
  o: 0,
  no: 1,
  b: 2,
  c: 2,
  ae: 3,
  nc: 3,
  e: 4,
  z: 4,
  ne: 5,
  nz: 5,
  be: 6,
  a: 7,
  s: 8,
  ns: 9,
  p: 10,
  np: 11,
  l: 12,
  ge: 13,
  le: 14,
  g: 15,
} as const

export type Condition = keyof typeof conditions

/**
 * A small x86 assembler: the instructions that boot code of 16, 32 and 64 bits needs, written as method calls. Encodings follow
 * the Intel SDM, volume 2. Jumps backwards take the shortest form; jumps forwards are near unless `short` is asked for.
 * A label can't have the name of a register.
 */
export class Assembler extends DataInstructions {
  jmp(target: string | Memory, form: 'near' | 'short' = 'near'): this {
    if (typeof target !== 'string' || isGeneralRegister(target)) return this.indirect(4, target)
    if (this.isShort(target, form)) return this.byte(0xeb).jumpDistance(target, 1)
    return this.byte(0xe9).jumpDistance(target, this.nearBytes())
  }

  /** Jumps when the condition holds. */
  jcc(condition: Condition, target: string, form: 'near' | 'short' = 'near'): this {
    if (this.isShort(target, form)) return this.byte(0x70 | conditions[condition]).jumpDistance(target, 1)
    return this.byte(0x0f, 0x80 | conditions[condition]).jumpDistance(target, this.nearBytes())
  }

  jz(target: string): this {
    return this.jcc('z', target)
  }

  jnz(target: string): this {
    return this.jcc('nz', target)
  }

  jc(target: string): this {
    return this.jcc('c', target)
  }

  jnc(target: string): this {
    return this.jcc('nc', target)
  }

  /** Writes 1 or 0 to a byte. */
  setcc(condition: Condition, target: Place): this {
    return this.encode({ opcode: [0x0f, 0x90 | conditions[condition]], size: 8, reg: 0, rm: target })
  }

  /** Decrements (e/r)cx and jumps while it isn't zero; the target must be within 128 bytes. */
  loop(target: string): this {
    return this.byte(0xe2).jumpDistance(target, 1)
  }

  call(target: string | Memory): this {
    if (typeof target !== 'string' || isGeneralRegister(target)) return this.indirect(2, target)
    return this.byte(0xe8).jumpDistance(target, this.nearBytes())
  }

  ret(): this {
    return this.byte(0xc3)
  }

  /** Returns over a segment too. */
  retf(): this {
    return this.byte(0xcb)
  }

  /** A jump that loads cs. `offsetBits` is the size of the offset in the instruction, by default that of the code. */
  jmpFar(selector: number, offset: LabelReference | number, offsetBits: 16 | 32 = this.codeBits === 16 ? 16 : 32): this {
    this.notIn64('A direct far jump')
    if (offsetBits !== this.codeBits) this.byte(0x66)
    this.byte(0xea).value(offset, offsetBits === 16 ? 2 : 4)
    return this.word(selector)
  }

  int(vector: number): this {
    return this.byte(0xcd, vector)
  }

  /** The one-byte breakpoint. */
  int3(): this {
    return this.byte(0xcc)
  }

  iret(): this {
    return this.encode({ opcode: [0xcf], size: this.codeBits })
  }

  cli(): this {
    return this.byte(0xfa)
  }

  sti(): this {
    return this.byte(0xfb)
  }

  cld(): this {
    return this.byte(0xfc)
  }

  stc(): this {
    return this.byte(0xf9)
  }

  clc(): this {
    return this.byte(0xf8)
  }

  hlt(): this {
    return this.byte(0xf4)
  }

  nop(): this {
    return this.byte(0x90)
  }

  pause(): this {
    return this.byte(0xf3, 0x90)
  }

  /** Reads port dx, or the immediate port. */
  in(target: 'al' | 'ax' | 'eax', port: 'dx' | number): this {
    return this.portAccess(0xe4, target, port)
  }

  /** Writes port dx, or the immediate port. */
  out(port: 'dx' | number, source: 'al' | 'ax' | 'eax'): this {
    return this.portAccess(0xe6, source, port)
  }

  /** Loads the GDT register; in 16-bit code only 24 bits of the base, unless `wide`. */
  lgdt(source: Memory, wide = false): this {
    return this.encode({ opcode: [0x0f, 0x01], ...(wide && this.codeBits === 16 ? { size: 32 } : {}), reg: 2, rm: source })
  }

  lidt(source: Memory): this {
    return this.encode({ opcode: [0x0f, 0x01], reg: 3, rm: source })
  }

  rdmsr(): this {
    return this.byte(0x0f, 0x32)
  }

  wrmsr(): this {
    return this.byte(0x0f, 0x30)
  }

  rdtsc(): this {
    return this.byte(0x0f, 0x31)
  }

  cpuid(): this {
    return this.byte(0x0f, 0xa2)
  }

  fxsave(target: Memory): this {
    return this.encode({ opcode: [0x0f, 0xae], reg: 0, rm: target })
  }

  private indirect(digit: 2 | 4, target: Place): this {
    const size = isMemory(target) ? (target.size ?? this.codeBits) : registerFacts(target).size
    return this.encode({ opcode: [0xff], size, defaults64: true, reg: digit, rm: target })
  }

  private portAccess(opcode: number, register: 'al' | 'ax' | 'eax', port: 'dx' | number): this {
    const wide = register === 'al' ? 0 : 1
    const size = registerFacts(register).size
    if (port === 'dx') return this.encode({ opcode: [opcode | 0x08 | wide], size })
    if (port > 0xff) throw new AssemblyError(`Port 0x${port.toString(16)} must go through dx`)
    return this.encode({ opcode: [opcode | wide], size, immediate: { value: port, bytes: 1 } })
  }

  private isShort(target: string, form: 'near' | 'short'): boolean {
    if (form === 'short') return true
    const address = this.addressOf(target)
    return address !== undefined && address - (this.address + 2) >= -128
  }

  private nearBytes(): 2 | 4 {
    return this.codeBits === 16 ? 2 : 4
  }

  private jumpDistance(target: string, bytes: 1 | 2 | 4): this {
    this.relative(target, bytes)
    return this
  }
}
