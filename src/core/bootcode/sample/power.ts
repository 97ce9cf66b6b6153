import { at, ref, wordAt, type Assembler } from '../assembler'

const pciConfiguration = { address: 0xcf8, data: 0xcfc } as const
/** Identifiers as register 0 holds them, and the bits of register 0x40 that are the address of the power management registers. */
const chips = {
  ich9: { identifier: 0x29188086, mask: 0xff80 },
  piix4: { identifier: 0x71138086, mask: 0xffc0 },
} as const
/** Offsets of the ACPI fixed registers from their base (ACPI 6.5, 4.8.3), and their bits. */
const registers = { status: 0, enable: 2, control: 4 } as const
const powerButton = 1 << 8
/** SLP_EN with SLP_TYP 0, which is S5 on both chips. */
const sleepSoftOff = 1 << 13

/**
 * ACPI power without an ACPI interpreter. Routines: `findPower` looks for the chipset and enables the power button; `checkPowerButton`
 * powers off when it was pressed; `powerOff` and `restart` don't return.
 */
export function powerRoutines(code: Assembler): void {
  find(code)
  button(code)
  end(code)
  code.label('powerPort').word(0)
}

function find(code: Assembler): void {
  // ebx counts devices and functions of bus 0.
  code.label('findPower').xor('ebx', 'ebx')
  code.label('.device').xor('cl', 'cl').call('readPci')
  for (const [name, chip] of Object.entries(chips)) {
    code.cmp('eax', chip.identifier).jnz(`.not-${name}`).mov('cl', 0x40).call('readPci').and('ax', chip.mask).jmp('.found')
    code.label(`.not-${name}`)
  }
  code.inc('bx').cmp('bx', 256).jnz('.device').ret()
  code
    .label('.found')
    .mov(at(ref('powerPort')), 'ax')
    .test('ax', 'ax')
    .jz('.end')
  code.mov('dx', 'ax').mov('ax', powerButton).out('dx', 'ax')
  code.add('dx', registers.enable).in('ax', 'dx').or('ax', powerButton).out('dx', 'ax')
  code.label('.end').ret()

  // Register cl of device and function bl into eax.
  code.label('readPci').movzx('eax', 'bl').shl('eax', 8).mov('al', 'cl').or('eax', 0x80000000)
  code.mov('dx', pciConfiguration.address).out('dx', 'eax').mov('dx', pciConfiguration.data).in('eax', 'dx').ret()
}

function button(code: Assembler): void {
  code
    .label('checkPowerButton')
    .mov('dx', at(ref('powerPort')))
    .test('dx', 'dx')
    .jz('.end')
  code.in('ax', 'dx').test('ax', powerButton).jz('.end')
  // Written ones clear the status.
  code.mov('ax', powerButton).out('dx', 'ax')
  code.mov('si', ref('buttonMessage')).call('print').jmp('powerOff')
  code.label('.end').ret()
  code.label('buttonMessage').text('power button\r\n').byte(0)
}

function end(code: Assembler): void {
  code.label('powerOff').mov('si', ref('offMessage')).call('print').call('dimScreen')
  code
    .mov('dx', at(ref('powerPort')))
    .test('dx', 'dx')
    .jz('.apm')
  code.add('dx', registers.control).mov('ax', sleepSoftOff).out('dx', 'ax')
  // Without the chipset's registers: the older APM interface of the BIOS.
  code.label('.apm').mov('ax', 0x5301).xor('bx', 'bx').int(0x15)
  code.mov('ax', 0x530e).xor('bx', 'bx').mov('cx', 0x0102).int(0x15)
  code.mov('ax', 0x5307).mov('bx', 1).mov('cx', 3).int(0x15)
  code.label('.stop').cli().hlt().jmp('.stop')

  code.label('restart').mov('si', ref('restartMessage')).call('print').call('dimScreen')
  // A cold start; then the reset register of PCI chipsets, and the keyboard controller's reset line.
  code.mov(wordAt(0x472), 0)
  code.mov('dx', 0xcf9).mov('al', 0x02).out('dx', 'al').mov('al', 0x06).out('dx', 'al')
  code.mov('al', 0xfe).out(0x64, 'al')
  code.label('.stop').hlt().jmp('.stop')
  code.label('offMessage').text('power off\r\n').byte(0)
  code.label('restartMessage').text('restart\r\n').byte(0)
}
