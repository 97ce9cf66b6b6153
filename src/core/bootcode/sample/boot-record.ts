import { at, dwordAt, ref, type Assembler } from '../assembler'
import { diskPacket, transfer } from './boot-sector'
import { disk, memory, record, sectorBytes } from './layout'

const magic = [0, 4].map((offset) => Buffer.from(record.magic).readUInt32LE(offset))

/** Routine `countBoot`: reads the record, adds this boot and writes it back; says on serial what can't be done. */
export function bootRecordRoutines(code: Assembler): void {
  code.label('countBoot')
  transfer(code, 'recordPacket', 0x42)
  code.jc('.unreadable')
  for (const [index, word] of magic.entries()) code.cmp(dwordAt(memory.scratch + index * 4), word).jnz('.damaged')
  code.cmp(dwordAt(memory.scratch + record.formatOffset), record.format).jnz('.damaged')
  code.call('sumRecord').test('eax', 'eax').jnz('.damaged')
  code
    .mov('eax', at(memory.scratch + record.bootsOffset))
    .inc('eax')
    .mov(at(ref('boots')), 'eax')
    .jmp('.write')

  code.label('.damaged').mov('si', ref('damagedMessage')).call('print')
  code
    .mov('di', memory.scratch)
    .mov('cx', sectorBytes / 2)
    .xor('ax', 'ax')
    .rep()
    .stosw()
  for (const [index, word] of magic.entries()) code.mov(dwordAt(memory.scratch + index * 4), word)
  code.mov(dwordAt(memory.scratch + record.formatOffset), record.format)

  code
    .label('.write')
    .mov('eax', at(ref('boots')))
    .mov(at(memory.scratch + record.bootsOffset), 'eax')
  code
    .mov(dwordAt(memory.scratch + record.checksumOffset), 0)
    .call('sumRecord')
    .neg('eax')
  code.mov(at(memory.scratch + record.checksumOffset), 'eax')
  transfer(code, 'recordPacket', 0x43)
  code.jc('.unwritable').ret()
  code.label('.unwritable').mov('si', ref('unwritableMessage')).call('print').ret()
  code.label('.unreadable').mov('si', ref('unreadableMessage')).call('print').ret()

  // The sum of the record's words in eax.
  code.label('sumRecord').mov('si', memory.scratch).mov('cx', record.words).xor('edx', 'edx')
  code.label('.word').lodsd().add('edx', 'eax').loop('.word').mov('eax', 'edx').ret()

  code.label('damagedMessage').text('disk record damaged, counting from 1\r\n').byte(0)
  code.label('unwritableMessage').text('disk not writable, this boot is not counted\r\n').byte(0)
  code.label('unreadableMessage').text('disk not readable, this boot is not counted\r\n').byte(0)
  diskPacket(code, 'recordPacket', disk.record, 1, memory.scratch)
  code.label('boots').dword(1)
}

/** The record's sector as the assembled disk starts with it: no boots yet. */
export function freshRecord(): Uint8Array {
  const sector = Buffer.alloc(sectorBytes)
  sector.write(record.magic, 0, 'ascii')
  sector.writeUInt32LE(record.format, record.formatOffset)
  sector.writeUInt32LE(-sum(sector) >>> 0, record.checksumOffset)
  return sector
}

/**
 * How often the machine with this disk has booted.
 * @param content the disk's raw content, or its first two sectors
 * @returns null when the record is damaged or the disk isn't the sample machine's
 */
export function readBootCount(content: Uint8Array): number | null {
  const start = disk.record * sectorBytes
  if (content.length < start + sectorBytes) return null
  const sector = Buffer.from(content.subarray(start, start + sectorBytes))
  const isOurs =
    sector.toString('ascii', 0, record.magic.length) === record.magic && sector.readUInt32LE(record.formatOffset) === record.format
  return isOurs && sum(sector) === 0 ? sector.readUInt32LE(record.bootsOffset) : null
}

function sum(sector: Buffer): number {
  let total = 0
  for (let word = 0; word < record.words; word++) total = (total + sector.readUInt32LE(word * 4)) >>> 0
  return total
}
