import { Assembler, at, dwordAt, qwordAt, ref } from '@core/bootcode/assembler'
import { diskPacket } from '@core/bootcode/sample/boot-sector'

const origin = 0x7c00
const sectorBytes = 512
const programSectors = 3
const pageBytes = 4096
const largePageBytes = 2 ** 21
const gibibyte = 2 ** 30
const selectors = { code32: 0x08, data: 0x10, code64: 0x18 } as const
const tables = { pageMapLevel4: 0x10000, pageDirectoryPointers: 0x11000, pageDirectories: 0x12000 } as const
const present = 0x3
const large = 0x80
const uncached = 0x10
const efer = 0xc0000080
const localApic = 0xfee00000
const apicRegisters = { endOfInterrupt: 0xb0, spurious: 0xf0, timer: 0x320, initialCount: 0x380, divide: 0x3e0 } as const
const timerVector = 0x20
/** Where touching begins: above what the firmware, this program and its tables use. */
const firstTouched = 16 * 2 ** 20
/** QEMU's q35 gives a machine of 2816 MiB and more 2 GiB below the hole and the rest from 4 GiB on [source: pc_q35.c]. */
const low = { leastSplitMiB: 2816, splitMiB: 2048 } as const
/** Bytes of each page that hold noise; the others stay zero, as about half of what guests have does. */
const noiseBytes = 2048
/** Pages that the guest writes to with every tick, round and round, as one that is at work does. */
const pagesPerTick = 16

/** Memory that a machine needs beyond what is touched. */
export const memoryGuestRestMiB = 64

export const memoryGuestWords = { touched: 'touched' } as const
/** The guest prints a dot so often: a gap is the guest standing still. Milliseconds. */
export const memoryGuestTickMs = 10

/**
 * The disk of a guest that fills `touchedMiB` of its memory with what can't be guessed, says `touched` on COM1, and prints a dot every ten
 * milliseconds from then on while it goes on to write to that memory. Its machine is a q35 with `touchedMiB + memoryGuestRestMiB`.
 */
export function assembleMemoryDisk(touchedMiB: number): Uint8Array {
  const code = new Assembler(origin)
  load(code)
  enterLongMode(code, touchedMiB)
  code.bits(64).label('longMode').lidt(at(ref('idtPointer')))
  code.mov('rbx', 0x5851f42d4c957f2dn).mov('rax', 0x52494e4753494445n)
  for (const [index, [from, until]] of touchedRanges(touchedMiB).entries()) touch(code, `range${String(index)}`, from, until)
  code.lea('rsi', at(ref('touchedWord'))).label('word').lodsb().test('al', 'al').jz('run').call('put').jmp('word')
  run(code, touchedRanges(touchedMiB)[0]?.[1] ?? 0)
  data(code)
  code.padTo(origin + (1 + programSectors) * sectorBytes)
  const disk = new Uint8Array(1024 * 1024)
  disk.set(code.assemble())
  return disk
}

/** Physical addresses, from and until. */
function touchedRanges(touchedMiB: number): [number, number][] {
  const memoryMiB = touchedMiB + memoryGuestRestMiB
  const bytes = touchedMiB * 2 ** 20
  if (memoryMiB < low.leastSplitMiB) return [[firstTouched, firstTouched + bytes]]
  const below = low.splitMiB * 2 ** 20 - 2 * firstTouched
  return [[firstTouched, firstTouched + below], [4 * gibibyte, 4 * gibibyte + bytes - below]]
}

function load(code: Assembler): void {
  code.bits(16).cli().cld().xor('ax', 'ax').mov('ds', 'ax').mov('es', 'ax').mov('ss', 'ax').mov('sp', origin)
  code.mov('si', ref('packet')).mov('ax', 0x4200).mov('dl', 0x80).int(0x13).jc('.stuck').jmp('protect')
  code.label('.stuck').hlt().jmp('.stuck')
  diskPacket(code, 'packet', 1, programSectors, origin + sectorBytes)
  code.padTo(origin + sectorBytes - 2).word(0xaa55)
}

function enterLongMode(code: Assembler, touchedMiB: number): void {
  const gibibytes = Math.ceil((touchedRanges(touchedMiB).at(-1)?.[1] ?? 0) / gibibyte)
  // The directories lie one behind the other; the fourth GiB always has its own, for the local APIC.
  const directories = Math.max(4, gibibytes)
  // The BIOS left the interrupt controllers on, at vectors that are exceptions here.
  code.label('protect').cli().mov('al', 0xff).out(0x21, 'al').out(0xa1, 'al')
  code.lgdt(at(ref('gdtPointer'))).mov('eax', 'cr0').or('al', 1).mov('cr0', 'eax').jmpFar(selectors.code32, ref('protectedMode'), 32)
  code.bits(32).label('protectedMode').mov('ax', selectors.data).mov('ds', 'ax').mov('es', 'ax').mov('ss', 'ax').mov('esp', origin)
  code.mov('edi', tables.pageMapLevel4).mov('ecx', 0x2000 / 4).xor('eax', 'eax').rep().stosd()
  code.mov(dwordAt(tables.pageMapLevel4), tables.pageDirectoryPointers | present)
  for (let index = 0; index < directories; index++) code.mov(dwordAt(tables.pageDirectoryPointers + index * 8), (tables.pageDirectories + index * pageBytes) | present)
  // Large pages, mapped one to one; edx is the upper half of an entry.
  code.mov('edi', tables.pageDirectories).mov('eax', large | present).xor('edx', 'edx').mov('ecx', directories * (gibibyte / largePageBytes))
  code.label('.map').mov(dwordAt('edi'), 0).mov(at('edi'), 'eax').mov(at('edi', 4), 'edx').add('edi', 8).add('eax', largePageBytes).adc('edx', 0).dec('ecx').jnz('.map')
  code.mov(dwordAt(tables.pageDirectories + 3 * pageBytes + ((localApic >>> 21) & 0x1ff) * 8), localApic | large | uncached | present)
  code.mov('eax', tables.pageMapLevel4).mov('cr3', 'eax').mov('eax', 0x220).mov('cr4', 'eax')
  code.mov('ecx', efer).rdmsr().or('eax', 0x100).wrmsr()
  code.mov('eax', 'cr0').and('eax', 0x9fffffff).or('eax', 0x80000002).mov('cr0', 'eax').jmpFar(selectors.code64, ref('longMode'))
}

/** Fills the first part of each page from a congruential generator in rax. */
function touch(code: Assembler, label: string, from: number, until: number): void {
  code.mov('rdi', from).mov('rdx', until)
  code.label(label).mov('ecx', noiseBytes / 8)
  code.label('.noise').imul('rax', 'rbx').add('rax', 'rcx').mov(at('rdi'), 'rax').add('rdi', 8).dec('ecx').jnz('.noise')
  code.add('rdi', pageBytes - noiseBytes).cmp('rdi', 'rdx').jcc('b', label)
}

function run(code: Assembler, until: number): void {
  // r8: the page that is written next.
  code.label('run').mov('edi', localApic).mov('r8', firstTouched).mov('r9', until)
  code.mov(dwordAt('rdi', apicRegisters.spurious), 0x1ff).mov(dwordAt('rdi', apicRegisters.divide), 0xb)
  code.mov(dwordAt('rdi', apicRegisters.timer), 0x20000 | timerVector)
  // The timer counts at 1 GHz in QEMU.
  code.mov(dwordAt('rdi', apicRegisters.initialCount), memoryGuestTickMs * 1_000_000)
  code.label('sleep').sti().hlt().cli().mov('ecx', pagesPerTick)
  code.label('.page').inc(qwordAt('r8')).add('r8', pageBytes).cmp('r8', 'r9').jcc('b', '.next').mov('r8', firstTouched)
  code.label('.next').dec('ecx').jnz('.page').mov('al', '.'.charCodeAt(0)).call('put').jmp('sleep')
  code.label('onTimer').mov(dwordAt('rdi', apicRegisters.endOfInterrupt), 0).iret()
  code.label('put').mov('ah', 'al').mov('dx', 0x3fd)
  code.label('.busy').in('al', 'dx').test('al', 0x20).jz('.busy')
  code.mov('al', 'ah').mov('dx', 0x3f8).out('dx', 'al').ret()
}

function data(code: Assembler): void {
  code.label('touchedWord').text(`${memoryGuestWords.touched}\r\n`).byte(0)
  code.align(8).label('gdt').qword(0, 0x00cf9b000000ffffn, 0x00cf93000000ffffn, 0x00af9b000000ffffn)
  code.label('gdtPointer').word(4 * 8 - 1).dword(ref('gdt'))
  code.align(16).label('idt')
  for (let vector = 0; vector < timerVector; vector++) code.qword(0, 0)
  code.word(ref('onTimer'), selectors.code64, 0x8e00, 0).qword(0)
  code.label('idtPointer').word((timerVector + 1) * 16 - 1).qword(ref('idt'))
}
