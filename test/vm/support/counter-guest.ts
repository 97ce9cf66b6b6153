import { Assembler, byteAt, ref } from '@core/bootcode/assembler'

const origin = 0x7c00
const sectorBytes = 512
const com1 = { data: 0x3f8, lineStatus: 0x3fd } as const
/** The PM1a control register where SeaBIOS places it on q35, and the value that switches the machine off (S5). */
const power = { register: 0x604, off: 0x2000 } as const
/** Timer ticks, of 55 ms, from one line to the next. */
const ticksPerLine = 4

/**
 * The disk of a guest in one boot sector, for tests of what is around a guest. On COM1 it prints `n=` and a number of six digits that goes
 * up, five times a second; what is typed comes back in angle brackets; `f` prints 64 KiB at once, and `q` switches the machine off in
 * order. It has no ACPI, so it ignores the power button.
 */
export function assembleCounterDisk(): Uint8Array {
  const code = new Assembler(origin)
  code.bits(16).cli().xor('ax', 'ax').mov('ds', 'ax').mov('es', 'ax').mov('ss', 'ax').mov('sp', origin).cld()
  code.mov('bx', ticksPerLine)
  // The BIOS counts timer interrupts by itself; each one wakes the processor.
  code.label('tick').sti().hlt()
  readSerial(code)
  code.label('noInput').dec('bx').jnz('tick').mov('bx', ticksPerLine)
  code.mov('si', ref('line')).label('.next').lodsb().test('al', 'al').jz('count').call('put').jmp('.next')
  countUp(code)
  code.label('put').mov('ah', 'al').mov('dx', com1.lineStatus)
  code.label('.busy').in('al', 'dx').test('al', 0x20).jz('.busy')
  code.mov('al', 'ah').mov('dx', com1.data).out('dx', 'al').ret()
  code.label('line').text('n=').label('digits').text('000000').byte(0x0d, 0x0a, 0)
  code.padTo(origin + sectorBytes - 2).word(0xaa55)
  const disk = new Uint8Array(1024 * 1024)
  disk.set(code.assemble())
  return disk
}

function readSerial(code: Assembler): void {
  code.mov('dx', com1.lineStatus).in('al', 'dx').test('al', 1).jz('noInput')
  code.mov('dx', com1.data).in('al', 'dx')
  code.cmp('al', 'q'.charCodeAt(0)).jz('off').cmp('al', 'f'.charCodeAt(0)).jz('flood')
  code.push('ax').mov('al', '<'.charCodeAt(0)).call('put').pop('ax').call('put').mov('al', '>'.charCodeAt(0)).call('put').jmp('noInput')
  code.label('off').mov('dx', power.register).mov('ax', power.off).out('dx', 'ax').jmp('noInput')
  // 65536 letters: cx wraps around.
  code.label('flood').xor('cx', 'cx').label('.letter').mov('al', 'cl').and('al', 0xf).add('al', 'a'.charCodeAt(0)).call('put')
  code.dec('cx').jnz('.letter').jmp('noInput')
}

/** Adds one to the decimal digits in memory, from the last to the first while they overflow. */
function countUp(code: Assembler): void {
  code.label('count').mov('di', ref('digits', 5))
  code.label('.digit').inc(byteAt('di')).cmp(byteAt('di'), 0x3a).jnz('tick')
  code.mov(byteAt('di'), 0x30).dec('di').cmp('di', ref('digits', -1)).jnz('.digit').jmp('tick')
}
