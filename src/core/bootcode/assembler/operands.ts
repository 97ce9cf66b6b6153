import { isGeneralRegister, isSegmentRegister, registerFacts, type AddressRegister, type SegmentRegister, type Size } from './registers'

/** The address of a label, plus `addend`: known when the whole program is. */
export interface LabelReference {
  label: string
  addend: number
}

/** A number that an instruction or a data directive holds. */
export type Value = number | bigint | LabelReference

/** An index register with its scale, for 32-bit and 64-bit addresses. */
export interface ScaledIndex {
  index: AddressRegister
  scale: 1 | 2 | 4 | 8
}

export type AddressPart = SegmentRegister | AddressRegister | ScaledIndex | LabelReference | number

/** A memory operand. */
export interface Memory {
  /** Bits read or written; null: as the register operand says. */
  size: Size | null
  segment: SegmentRegister | null
  base: AddressRegister | null
  index: AddressRegister | null
  scale: 1 | 2 | 4 | 8
  displacement: number
  label: string | null
}

/** The address of `label`, moved by `addend` bytes. */
export function ref(label: string, addend = 0): LabelReference {
  return { label, addend }
}

export function scaled(index: AddressRegister, scale: 1 | 2 | 4 | 8): ScaledIndex {
  return { index, scale }
}

/** A memory operand as the sum of its parts, e.g. `at('es', 'bx', 'si', 4)` or `at(ref('counter'))`; its size follows the register operand. */
export function at(...parts: AddressPart[]): Memory {
  return sum(null, parts)
}

export function byteAt(...parts: AddressPart[]): Memory {
  return sum(8, parts)
}

export function wordAt(...parts: AddressPart[]): Memory {
  return sum(16, parts)
}

export function dwordAt(...parts: AddressPart[]): Memory {
  return sum(32, parts)
}

export function qwordAt(...parts: AddressPart[]): Memory {
  return sum(64, parts)
}

export function isMemory(value: unknown): value is Memory {
  return typeof value === 'object' && value !== null && 'displacement' in value
}

export function isLabelReference(value: unknown): value is LabelReference {
  return typeof value === 'object' && value !== null && 'addend' in value
}

function sum(size: Size | null, parts: AddressPart[]): Memory {
  const memory: Memory = { size, segment: null, base: null, index: null, scale: 1, displacement: 0, label: null }
  for (const part of parts) {
    if (typeof part === 'number') memory.displacement += part
    else if (isSegmentRegister(part)) memory.segment = part
    else if (isGeneralRegister(part)) addRegister(memory, part)
    else if ('index' in part) {
      memory.index = part.index
      memory.scale = part.scale
    } else {
      if (memory.label !== null) throw new TypeError(`An address can't be the sum of two labels: ${memory.label} and ${part.label}`)
      memory.label = part.label
      memory.displacement += part.addend
    }
  }
  return memory
}

function addRegister(memory: Memory, register: AddressRegister): void {
  if (registerFacts(register).size === 8) throw new TypeError(`${register} can't address memory`)
  if (memory.base === null) memory.base = register
  else if (memory.index === null) memory.index = register
  else throw new TypeError(`An address has at most two registers; ${register} is the third`)
}
