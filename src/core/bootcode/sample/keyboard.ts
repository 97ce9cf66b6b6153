import { at, byteAt, ref, type Assembler } from '../assembler'

/** Keys that the machine obeys; every other key is shown. */
const commands = { restart: 0x3c, powerOff: 0x42 } as const

/** Names of keys that write nothing, by the BIOS's scan code. */
const keyNames: [scanCode: number, name: string][] = [
  [0x01, 'ESC'],
  [0x0e, 'BACKSPACE'],
  [0x0f, 'TAB'],
  [0x1c, 'ENTER'],
  [0xe0, 'ENTER'],
  [0x39, 'SPACE'],
  [0x48, 'UP'],
  [0x50, 'DOWN'],
  [0x4b, 'LEFT'],
  [0x4d, 'RIGHT'],
  [0x47, 'HOME'],
  [0x4f, 'END'],
  [0x49, 'PAGE UP'],
  [0x51, 'PAGE DOWN'],
  [0x52, 'INSERT'],
  [0x53, 'DELETE'],
  [0x85, 'F11'],
  [0x86, 'F12'],
  ...Array.from({ length: 10 }, (_, index): [number, string] => [0x3b + index, `F${String(index + 1)}`]),
]

/** Routine `checkKeys`: shows each key that was pressed, names it on serial, and moves on to the next theme. */
export function keyboardRoutines(code: Assembler): void {
  code.label('checkKeys').mov('ah', 0x11).int(0x16).jz('.none')
  code.mov('ah', 0x10).int(0x16)
  code.cmp('ah', commands.restart).jz('restart').cmp('ah', commands.powerOff).jz('powerOff')
  code.call('nameKey')
  code
    .mov('si', ref('keyMessage'))
    .call('print')
    .mov('si', at(ref('keyName')))
    .call('print')
    .call('printLineEnd')
  code.call('nextTheme').call('drawKey').jmp('checkKeys')
  code.label('.none').ret()

  nameKey(code)
  code.label('keyMessage').text('key ').byte(0)
  code.label('keyName').word(ref('noKey'))
  code.label('noKey').text('NONE YET').byte(0)
  code.label('oneCharacter').byte(0, 0)
  code.label('control').text('CTRL+').label('control.letter').byte(0, 0)
  code.label('unknown').text('CODE ').label('unknown.high').byte(0).label('unknown.low').byte(0, 0)
}

/** From the scan code in ah and the character in al to a name at `keyName`. */
function nameKey(code: Assembler): void {
  code.label('nameKey').cmp('al', 0x20).jcc('be', '.named').cmp('al', 0x7e).jcc('a', '.named')
  code.call('upperCase').cmp('al', 0x5f).jcc('a', '.code')
  code.mov(at(ref('oneCharacter')), 'al')
  code.mov('si', ref('oneCharacter')).jmp('.set')

  code.label('.named').mov('bx', ref('keyNames'))
  code.label('.look').cmp(byteAt('bx'), 0).jz('.control').cmp('ah', at('bx')).jz('.found').add('bx', 3).jmp('.look')
  code.label('.found').mov('si', at('bx', 1)).jmp('.set')

  code.label('.control').cmp('al', 1).jcc('b', '.code').cmp('al', 26).jcc('a', '.code')
  code
    .add('al', 0x40)
    .mov(at(ref('control.letter')), 'al')
    .mov('si', ref('control'))
    .jmp('.set')

  code
    .label('.code')
    .mov('al', 'ah')
    .shr('al', 4)
    .call('hexDigit')
    .mov(at(ref('unknown.high')), 'al')
  code
    .mov('al', 'ah')
    .and('al', 0xf)
    .call('hexDigit')
    .mov(at(ref('unknown.low')), 'al')
    .mov('si', ref('unknown'))
  code
    .label('.set')
    .mov(at(ref('keyName')), 'si')
    .ret()

  code.label('upperCase').cmp('al', 0x61).jcc('b', '.end').cmp('al', 0x7a).jcc('a', '.end').sub('al', 0x20)
  code.label('.end').ret()
  code.label('hexDigit').add('al', 0x30).cmp('al', 0x39).jcc('be', '.end').add('al', 7)
  code.label('.end').ret()

  code.label('keyNames')
  keyNames.forEach(([scanCode], index) => code.byte(scanCode).word(ref(`key.${String(index)}`)))
  code.byte(0)
  keyNames.forEach(([, name], index) =>
    code
      .label(`key.${String(index)}`)
      .text(name)
      .byte(0),
  )
}
