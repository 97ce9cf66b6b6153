export { Assembler, type Condition } from './assembler'
export { AssemblyError } from './code-buffer'
export { at, byteAt, dwordAt, qwordAt, ref, scaled, wordAt, type LabelReference, type Memory } from './operands'
export type { Bits, GeneralRegister } from './registers'
