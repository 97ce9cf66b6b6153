import { at, byteAt, ref, wordAt, type Assembler } from '../assembler'

const com1 = 0x3f8
const registers = { data: com1, interrupts: com1 + 1, fifo: com1 + 2, line: com1 + 3, modem: com1 + 4, status: com1 + 5 } as const
const irq4 = { vector: 0x0c, mask: 1 << 4 } as const

/**
 * COM1 at 115200 8N1. Routines: `serialStart`; `print` (text at si), `printCharacter` (al), `printNumber` (eax) and `printLineEnd`, which keep
 * all registers; `echo` sends back what arrived.
 */
export function serialRoutines(code: Assembler): void {
  start(code)
  output(code)
  receive(code)
  code.label('received.head').byte(0)
  code.label('received.tail').byte(0)
  code.label('received').padTo(code.address + 256)
}

function start(code: Assembler): void {
  const write = (port: number, value: number): void => void code.mov('dx', port).mov('al', value).out('dx', 'al')
  code.label('serialStart')
  write(registers.line, 0x80)
  write(registers.data, 1)
  write(registers.interrupts, 0)
  write(registers.line, 0x03)
  write(registers.fifo, 0x07)
  // DTR, RTS, and OUT2, which lets interrupts through.
  write(registers.modem, 0x0b)
  code
    .cli()
    .mov(wordAt(irq4.vector * 4), ref('onSerial'))
    .mov(wordAt(irq4.vector * 4 + 2), 0)
    .sti()
  code
    .in('al', 0x21)
    .and('al', 0xff & ~irq4.mask)
    .out(0x21, 'al')
  write(registers.interrupts, 1)
  code.ret()
}

function output(code: Assembler): void {
  code.label('printCharacter').push('ax').push('dx').mov('ah', 'al').mov('dx', registers.status)
  // A port that isn't there reads as all ones, which looks ready: printing never hangs.
  code.label('.busy').in('al', 'dx').test('al', 0x20).jz('.busy')
  code.mov('dx', registers.data).mov('al', 'ah').out('dx', 'al').pop('dx').pop('ax').ret()

  code.label('print').push('ax').push('si')
  code.label('.next').lodsb().test('al', 'al').jz('.end').call('printCharacter').jmp('.next')
  code.label('.end').pop('si').pop('ax').ret()

  code.label('printLineEnd').push('si').mov('si', ref('lineEnd')).call('print').pop('si').ret()
  code.label('lineEnd').byte(0x0d, 0x0a, 0)

  code.label('printNumber').pusha().call('formatNumber').call('print').popa().ret()

  // Decimal digits of eax, zero-terminated, at the end of `digits`; si points at the first.
  code.label('formatNumber').mov('si', ref('digits.end')).mov('ecx', 10)
  code.label('.digit').xor('edx', 'edx').div('ecx').add('dl', 0x30).dec('si').mov(at('si'), 'dl').test('eax', 'eax').jnz('.digit').ret()
  code.label('digits').byte(0, 0, 0, 0, 0, 0, 0, 0, 0, 0).label('digits.end').byte(0)
}

/** Input is taken by interrupt, so that a sleeping machine answers at once and none is lost. */
function receive(code: Assembler): void {
  code.label('onSerial').push('ax').push('bx').push('dx').push('ds').xor('ax', 'ax').mov('ds', 'ax')
  code.label('.next').mov('dx', registers.status).in('al', 'dx').cmp('al', 0xff).jz('.done').test('al', 1).jz('.done')
  code
    .mov('dx', registers.data)
    .in('al', 'dx')
    .movzx('bx', byteAt(ref('received.head')))
    .mov(at('bx', ref('received')), 'al')
    .inc(byteAt(ref('received.head')))
    .jmp('.next')
  code.label('.done').mov('al', 0x20).out(0x20, 'al').pop('ds').pop('dx').pop('bx').pop('ax').iret()

  code
    .label('echo')
    .movzx('bx', byteAt(ref('received.tail')))
    .cmp('bl', byteAt(ref('received.head')))
    .jz('.empty')
  code.mov('al', at('bx', ref('received'))).inc(byteAt(ref('received.tail')))
  code.cmp('al', 0x0d).jz('.enter').cmp('al', 0x7f).jz('.rubOut').call('printCharacter').jmp('echo')
  code.label('.enter').call('printLineEnd').jmp('echo')
  code.label('.rubOut').mov('si', ref('rubOut')).call('print').jmp('echo')
  code.label('.empty').ret()
  code.label('rubOut').byte(0x08, 0x20, 0x08, 0)
}
