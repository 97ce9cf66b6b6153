import { Assembler, at, byteAt, dwordAt, qwordAt, ref } from '../assembler'
import { probeExit, probeGreeting, probeWork } from './probe-answer'

/** The firmware's place below 1 MiB: the processor starts at the last 16 bytes of a 64 KiB ROM that QEMU shows here. */
const romBase = 0xf0000
const romSize = 0x10000
const romSegment = romBase >> 4
const resetVector = 0xfff0

const selectors = { code32: 0x08, data: 0x10, code64: 0x18 } as const
/** Where the guest keeps things in its RAM. */
const ram = {
  pageMapLevel4: 0x1000,
  pageDirectoryPointers: 0x2000,
  pageDirectory: 0x3000,
  apicDirectory: 0x4000,
  fxsaveArea: 0x5000,
  stackTop: 0x8000,
} as const
const vectors = { breakpoint: 3, timer: 0x20 } as const
const efer = 0xc0000080
const localApic = 0xfee00000
const apicRegisters = { endOfInterrupt: 0xb0, spurious: 0xf0, timer: 0x320, initialCount: 0x380, divide: 0x3e0 } as const
/** Page table flags. */
const present = 0x3
const uncached = 0x10
const large = 0x80
/** Timer ticks to sleep through: proves that interrupts arrive and wake a halted processor. */
const ticks = 3

/**
 * The ROM that proves a processor and its accelerator: from the reset vector through protected mode to long mode with paging, sums in
 * a loop, breakpoints through an IDT, FXSAVE, model-specific registers, timer interrupts out of HLT; then one line on COM1 and an
 * exit through isa-debug-exit. Whatever goes wrong on the way ends in a triple fault or in silence, never in the right line.
 */
export function assembleProbeRom(): Uint8Array {
  const rom = new Assembler(0)
  enterProtectedMode(rom)
  enterLongMode(rom)
  prove(rom)
  printAnswer(rom)
  interruptHandlers(rom)
  tables(rom)
  rom.padTo(resetVector, 0xf4).bits(16).jmpFar(romSegment, ref('start'))
  return rom.padTo(romSize, 0xf4).assemble()
}

/** The address of a label in the flat segments of protected and long mode. */
function linear(label: string): ReturnType<typeof ref> {
  return ref(label, romBase)
}

function enterProtectedMode(rom: Assembler): void {
  rom.bits(16).label('start').cli().cld()
  rom.lgdt(at('cs', ref('gdtPointer')))
  rom.mov('eax', 'cr0').or('al', 1).mov('cr0', 'eax')
  rom.jmpFar(selectors.code32, linear('protectedMode'), 32)
}

function enterLongMode(rom: Assembler): void {
  rom.bits(32).label('protectedMode')
  rom.mov('ax', selectors.data).mov('ds', 'ax').mov('es', 'ax').mov('ss', 'ax').mov('esp', ram.stackTop)

  rom
    .mov('edi', ram.pageMapLevel4)
    .mov('ecx', 0x4000 / 4)
    .xor('eax', 'eax')
    .rep()
    .stosd()
  // Large pages, mapped one to one: the first 2 MiB, and the 2 MiB around the local APIC in the fourth GiB.
  rom.mov(dwordAt(ram.pageMapLevel4), ram.pageDirectoryPointers | present)
  rom.mov(dwordAt(ram.pageDirectoryPointers), ram.pageDirectory | present)
  rom.mov(dwordAt(ram.pageDirectoryPointers + 3 * 8), ram.apicDirectory | present)
  rom.mov(dwordAt(ram.pageDirectory), large | present)
  rom.mov(dwordAt(ram.apicDirectory + ((localApic >>> 21) & 0x1ff) * 8), localApic | large | uncached | present)
  rom.mov('eax', ram.pageMapLevel4).mov('cr3', 'eax')

  // CR4.PAE, and OSFXSR for the SSE state.
  rom.mov('eax', 0x220).mov('cr4', 'eax')
  rom.mov('ecx', efer).rdmsr().or('eax', 0x100).wrmsr()
  // Caches on (reset turns them off), paging on, and MP as SSE wants it.
  rom.mov('eax', 'cr0').and('eax', 0x9fffffff).or('eax', 0x80000002).mov('cr0', 'eax')
  rom.jmpFar(selectors.code64, linear('longMode'))
}

/** Leaves the result in rax. r12 counts breakpoints and r13 timer ticks. */
function prove(rom: Assembler): void {
  rom.bits(64).label('longMode')
  rom.lidt(at(ref('idtPointer')))
  rom.xor('r12d', 'r12d').xor('r13d', 'r13d')

  rom.mov('rax', probeWork.seed).mov('rbx', probeWork.multiplier)
  rom.label('.round').int3().mov('ecx', probeWork.stepsPerRound)
  rom.label('.step').imul('rax', 'rbx').add('rax', 'rcx').rol('rax', probeWork.rotation).dec('ecx').jnz('.step')
  rom.xor('rax', 'r12').cmp('r12d', probeWork.rounds).jnz('.round')

  // The sum goes on only as FXSAVE stored it: XMM1 is 176 bytes into the area (Intel SDM vol. 1, table 10-2).
  rom
    .movToVector('xmm1', 'rax')
    .fxsave(at(ram.fxsaveArea))
    .mov('rsi', qwordAt(ram.fxsaveArea + 176))
  rom.mov('ecx', efer).rdmsr().and('eax', probeWork.eferMask).add('rsi', 'rax')
  rom.xor('eax', 'eax').cpuid()

  startTimer(rom)
  // STI takes effect after the next instruction, so no tick is lost between it and HLT.
  rom.label('.sleep').sti().hlt().cli().cmp('r13d', ticks).jcc('b', '.sleep')
  rom.mov('rax', 'rsi')
}

/** The local APIC's timer, periodic, about a thousand times a second (its clock is 1 GHz in QEMU and a bus clock elsewhere). */
function startTimer(rom: Assembler): void {
  rom.mov('edi', localApic)
  rom.mov(dwordAt('rdi', apicRegisters.spurious), 0x1ff)
  rom.mov(dwordAt('rdi', apicRegisters.divide), 0xb)
  rom.mov(dwordAt('rdi', apicRegisters.timer), 0x20000 | vectors.timer)
  rom.mov(dwordAt('rdi', apicRegisters.initialCount), 1_000_000)
}

/** Prints the greeting and rax in hexadecimal, then ends QEMU. */
function printAnswer(rom: Assembler): void {
  rom.mov('r8', 'rax')
  rom.lea('rsi', at(ref('greeting')))
  rom.label('.text').lodsb().test('al', 'al').jz('.digits').call('printCharacter').jmp('.text')
  rom.label('.digits').mov('r9d', 16)
  rom.label('.digit').rol('r8', 4).mov('eax', 'r8d').and('eax', 0xf)
  rom
    .lea('rbx', at(ref('hexDigits')))
    .mov('al', byteAt('rbx', 'rax'))
    .call('printCharacter')
  rom.dec('r9d').jnz('.digit')
  rom.mov('al', 0x0d).call('printCharacter').mov('al', 0x0a).call('printCharacter')
  rom.mov('al', probeExit.value).out(probeExit.port, 'al')
  rom.label('.stop').cli().hlt().jmp('.stop')

  // al to COM1, once the line status register says that the transmitter is empty.
  rom.label('printCharacter').mov('ah', 'al').mov('dx', 0x3fd)
  rom.label('.busy').in('al', 'dx').test('al', 0x20).jz('.busy')
  rom.mov('al', 'ah').mov('dx', 0x3f8).out('dx', 'al').ret()
}

function interruptHandlers(rom: Assembler): void {
  rom.label('onBreakpoint').inc('r12').iret()
  rom.label('onTimer').inc('r13')
  // rdi still points at the local APIC.
  rom.mov(dwordAt('rdi', apicRegisters.endOfInterrupt), 0).iret()
}

function tables(rom: Assembler): void {
  rom.label('greeting').text(probeGreeting).byte(0)
  rom.label('hexDigits').text('0123456789abcdef')

  // Descriptors are marked as accessed: the processor can't do so in a ROM.
  rom.align(8).label('gdt').qword(0, 0x00cf9b000000ffffn, 0x00cf93000000ffffn, 0x00af9b000000ffffn)
  rom
    .label('gdtPointer')
    .word(4 * 8 - 1)
    .dword(linear('gdt'))

  rom.align(16).label('idt')
  for (let vector = 0; vector <= vectors.timer; vector++) {
    if (vector === vectors.breakpoint) gate(rom, 'onBreakpoint')
    else if (vector === vectors.timer) gate(rom, 'onTimer')
    else rom.qword(0, 0)
  }
  rom
    .label('idtPointer')
    .word((vectors.timer + 1) * 16 - 1)
    .qword(linear('idt'))
}

/** An interrupt gate of long mode; the ROM's base gives bits 16..31 of the handler's address and its offset the rest. */
function gate(rom: Assembler, handler: string): void {
  rom.word(ref(handler), selectors.code64, 0x8e00, romBase >> 16).qword(0)
}
