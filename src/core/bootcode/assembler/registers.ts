/** Register names by size, in the order of their encoding (Intel SDM vol. 2, table 3-1). */
const bytes = ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh', 'r8b', 'r9b', 'r10b', 'r11b', 'r12b', 'r13b', 'r14b', 'r15b'] as const
const uniformBytes = ['spl', 'bpl', 'sil', 'dil'] as const
const words = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di', 'r8w', 'r9w', 'r10w', 'r11w', 'r12w', 'r13w', 'r14w', 'r15w'] as const
const dwords = [
  'eax',
  'ecx',
  'edx',
  'ebx',
  'esp',
  'ebp',
  'esi',
  'edi',
  'r8d',
  'r9d',
  'r10d',
  'r11d',
  'r12d',
  'r13d',
  'r14d',
  'r15d',
] as const
const qwords = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const
const segments = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const
const controls = ['cr0', 'cr2', 'cr3', 'cr4'] as const

/** Registers that address memory in 16-bit, 32-bit and 64-bit code. */
export type AddressRegister = (typeof words)[number] | (typeof dwords)[number] | (typeof qwords)[number]
export type GeneralRegister = (typeof bytes)[number] | (typeof uniformBytes)[number] | AddressRegister
export type SegmentRegister = (typeof segments)[number]
export type ControlRegister = (typeof controls)[number]
/** The SSE registers that need no REX prefix are enough for boot code. */
export type VectorRegister = `xmm${0 | 1 | 2 | 3 | 4 | 5 | 6 | 7}`

/** Operand sizes in bits. */
export type Size = 8 | 16 | 32 | 64
/** Code sizes in bits: what the code segment's default operand size makes of the same bytes. */
export type Bits = 16 | 32 | 64

export interface RegisterFacts {
  size: Size
  /** 0..15; bit 3 goes into the REX prefix. */
  number: number
  /** Needs a REX prefix whatever its number: spl, bpl, sil, dil. */
  needsRex: boolean
  /** Can't be encoded beside a REX prefix: ah, ch, dh, bh. */
  refusesRex: boolean
}

function tabulate(): Map<string, RegisterFacts> {
  const table = new Map<string, RegisterFacts>()
  const plain = { needsRex: false, refusesRex: false }
  bytes.forEach((name, number) => table.set(name, { size: 8, number, needsRex: false, refusesRex: number >= 4 && number < 8 }))
  uniformBytes.forEach((name, index) => table.set(name, { size: 8, number: index + 4, needsRex: true, refusesRex: false }))
  words.forEach((name, number) => table.set(name, { size: 16, number, ...plain }))
  dwords.forEach((name, number) => table.set(name, { size: 32, number, ...plain }))
  qwords.forEach((name, number) => table.set(name, { size: 64, number, ...plain }))
  return table
}

const general = tabulate()

/** What the encoder must know of a general register. */
export function registerFacts(name: GeneralRegister): RegisterFacts {
  const facts = general.get(name)
  if (!facts) throw new TypeError(`No such register: ${name}`)
  return facts
}

export function isGeneralRegister(value: unknown): value is GeneralRegister {
  return typeof value === 'string' && general.has(value)
}

export function isSegmentRegister(value: unknown): value is SegmentRegister {
  return (segments as readonly unknown[]).includes(value)
}

export function isControlRegister(value: unknown): value is ControlRegister {
  return (controls as readonly unknown[]).includes(value)
}

/** The number of a segment register in ModRM.reg: es 0, cs 1, ss 2, ds 3, fs 4, gs 5. */
export function segmentNumber(name: SegmentRegister): number {
  return segments.indexOf(name)
}
