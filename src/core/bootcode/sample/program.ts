import { Assembler, at, dwordAt, ref } from '../assembler'
import { bootRecordRoutines } from './boot-record'
import { drawingRoutines } from './drawing'
import { keyboardRoutines } from './keyboard'
import { disk, memory, sectorBytes } from './layout'
import { powerRoutines } from './power'
import { screenRoutines } from './screen'
import { serialRoutines } from './serial'

/** The BIOS counts its timer's interrupts here; one is 65536 / 1193182 seconds. */
const biosTicks = 0x46c
const microsecondsPerTick = 54_925

/**
 * The program that the boot sector loads: real-mode code on BIOS services, so that it runs wherever a PC BIOS does. It sleeps until
 * an interrupt (timer, keyboard, serial port) and then looks at each thing that may have happened.
 * @param screens writes the screen descriptions `largeScreen` and `smallScreen`
 */
export function assembleProgram(screens: (code: Assembler) => void): Uint8Array {
  const code = new Assembler(memory.program).bits(16)
  main(code)
  keepTime(code)
  serialRoutines(code)
  bootRecordRoutines(code)
  powerRoutines(code)
  screenRoutines(code)
  drawingRoutines(code)
  keyboardRoutines(code)
  screens(code)
  return code.padTo(memory.program + disk.programSectors * sectorBytes).assemble()
}

function main(code: Assembler): void {
  code.cld().mov(at(ref('bootDisk')), 'dl')
  code.call('serialStart').call('countBoot')
  code
    .mov('si', ref('greeting'))
    .call('print')
    .mov('eax', at(ref('boots')))
    .call('printNumber')
    .call('printLineEnd')
  code.call('findPower').call('screenStart')
  code.mov('eax', at(biosTicks)).mov(at(ref('lastTick')), 'eax')
  code.label('.sleep').sti().hlt().call('checkPowerButton').call('echo').call('checkKeys').call('keepTime').jmp('.sleep')
  code.label('greeting').text('\r\nringside sample, boot ').byte(0)
  code.label('bootDisk').byte(0)
}

/** Seconds out of the BIOS's ticks: exact over time, and a machine that was paused or saved goes on where it was. */
function keepTime(code: Assembler): void {
  code.label('keepTime').mov('eax', at(biosTicks)).mov('ecx', 'eax')
  code
    .sub('eax', at(ref('lastTick')))
    .jz('.end')
    .mov(at(ref('lastTick')), 'ecx')
  code.push('eax').call('keepDeepColours').pop('eax')
  // The count starts again at midnight: the one odd difference stands for one tick.
  code.cmp('eax', 0xffff).jcc('be', '.add').mov('eax', 1)
  code
    .label('.add')
    .mov('ecx', microsecondsPerTick)
    .mul('ecx')
    .add(at(ref('microseconds')), 'eax')
  code
    .label('.second')
    .cmp(dwordAt(ref('microseconds')), 1_000_000)
    .jcc('b', '.end')
  code
    .sub(dwordAt(ref('microseconds')), 1_000_000)
    .inc(dwordAt(ref('seconds')))
    .call('onSecond')
    .jmp('.second')
  code.label('.end').ret()

  code
    .label('onSecond')
    .mov('si', ref('tickMessage'))
    .call('print')
    .mov('eax', at(ref('seconds')))
    .call('printNumber')
  code
    .mov('si', ref('bootMessage'))
    .call('print')
    .mov('eax', at(ref('boots')))
    .call('printNumber')
    .call('printLineEnd')
  code.call('drawSeconds').jmp('drawRing')
  code.label('tickMessage').text('tick ').byte(0).label('bootMessage').text(' boot ').byte(0)
  code.align(4).label('lastTick').dword(0).label('microseconds').dword(0).label('seconds').dword(0)
}
