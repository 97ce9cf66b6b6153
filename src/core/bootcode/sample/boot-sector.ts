import { Assembler, at, ref } from '../assembler'
import { disk, memory, sectorBytes } from './layout'

/** Loads the program behind it and hands over, with the BIOS's number of the boot disk in dl. */
export function assembleBootSector(): Uint8Array {
  const boot = new Assembler(memory.bootSector).bits(16)
  boot.jmp('start', 'short').nop().text('RINGSIDE')
  boot.label('start').cli().cld()
  boot.xor('ax', 'ax').mov('ds', 'ax').mov('es', 'ax').mov('ss', 'ax').mov('sp', memory.bootSector).sti()
  // Some BIOSes start at 07C0:0000: all addresses here count from segment 0.
  boot.jmpFar(0, ref('load'))

  boot.label('load').mov('si', ref('packet')).mov('ah', 0x42).int(0x13).jc('failed')
  boot.jmpFar(0, memory.program)

  boot.label('failed').mov('si', ref('message'))
  boot.label('.next').lodsb().test('al', 'al').jz('.stop').mov('ah', 0x0e).mov('bx', 7).int(0x10).jmp('.next')
  boot.label('.stop').hlt().jmp('.stop')

  boot.label('message').text('Ringside: the disk could not be read.').byte(0)
  diskPacket(boot, 'packet', disk.program, disk.programSectors, memory.program)
  return boot
    .padTo(memory.bootSector + sectorBytes - 2)
    .word(0xaa55)
    .assemble()
}

/** A disk address packet of the BIOS's extended reads and writes (EDD-3, 4.2). */
export function diskPacket(target: Assembler, label: string, firstSector: number, sectors: number, address: number): void {
  target.align(4).label(label).byte(16, 0)
  target.label(`${label}.sectors`).word(sectors)
  target.label(`${label}.offset`).word(address & 0xf)
  target.label(`${label}.segment`).word(address >> 4)
  target.label(`${label}.first`).qword(firstSector)
}

/** Reads (0x42) or writes (0x43) what the packet says; carry set and the status in ah on failure. */
export function transfer(target: Assembler, packet: string, operation: 0x42 | 0x43): void {
  target
    .mov('si', ref(packet))
    .mov('dl', at(ref('bootDisk')))
    .mov('ax', operation << 8)
    .int(0x13)
}
