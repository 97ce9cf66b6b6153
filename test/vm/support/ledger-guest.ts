import { Assembler, at, byteAt, dwordAt, ref } from '@core/bootcode/assembler'
import { diskPacket } from '@core/bootcode/sample/boot-sector'

const origin = 0x7c00
const buffer = 0x9000
const sectorBytes = 512
const bootDrive = 0x80
const com1 = { data: 0x3f8, lineStatus: 0x3fd } as const
/** The PM1a control register where SeaBIOS places it on q35, and the value that switches the machine off (S5). */
const power = { register: 0x604, off: 0x2000 } as const
const programSectors = 3

/**
 * One entry a cluster of qcow2 (64 KiB), so that entries are mapped one by one: the program in the first, the last number in the
 * second, and the numbers themselves round and round in the rest.
 */
const entrySectors = 128
const rounds = 14
const recordEntry = 1
const firstEntry = 2

/** Size of the disk: small, and all of it is used. */
export const ledgerDiskBytes = (firstEntry + rounds) * entrySectors * sectorBytes

/** What the guest prints. Numbers have six digits. */
export const ledgerWords = {
  /** At boot: the last number on its first disk, and the mark that was set then (`.` for none). */
  kept: /kept=(\d{6})(.)/u,
  /** After each number that is on all its disks. */
  written: /n=(\d{6})\r\n/u,
  /** The answer to `v`: what the disks hold is what the guest has in its memory, or which disk isn't. */
  verdict: /(whole at \d{6}|torn disk \d)\r\n/u,
} as const

/**
 * The disk of a guest that keeps a ledger, for tests of what becomes of disks and memory. About nine times a second it adds one to a number,
 * writes that number to each of its (one or two) disks, in a place that the number decides and then as the last one, and prints it. What any moment's disk must
 * hold follows from its last number, so that a disk can be checked without knowing when it was taken: by `readLedger` here and by the guest itself when it
 * is sent `v`. A capital letter becomes the mark that is written along from then on; `p` makes it stop writing and `g` go on; `q` switches it
 * off in order. It has no ACPI, so it ignores the power button.
 */
export function assembleLedgerDisk(): Uint8Array {
  const code = new Assembler(origin)
  code.bits(16).cli().xor('ax', 'ax').mov('ds', 'ax').mov('es', 'ax').mov('ss', 'ax').mov('sp', origin).cld().sti()
  code.mov('si', ref('programPacket')).mov('ax', 0x4200).mov('dl', bootDrive).int(0x13).jc('.stuck').jmp('main')
  code.label('.stuck').hlt().jmp('.stuck')
  diskPacket(code, 'programPacket', 1, programSectors, origin + sectorBytes)
  code.padTo(origin + sectorBytes - 2).word(0xaa55)

  open(code)
  keepTime(code)
  obey(code)
  write(code)
  verify(code)
  transfers(code)
  printing(code)
  code.padTo(origin + (1 + programSectors) * sectorBytes)
  const disk = new Uint8Array(ledgerDiskBytes)
  disk.set(code.assemble())
  return disk
}

/** A second disk for the same guest: empty, of the same size. */
export function emptyLedgerDisk(): Uint8Array {
  return new Uint8Array(ledgerDiskBytes)
}

function open(code: Assembler): void {
  code.label('main').mov('ax', 0x4100).mov('bx', 0x55aa).mov('dl', bootDrive + 1).int(0x13).jc('.single').inc(byteAt(ref('drives')))
  code.label('.single').mov('dl', bootDrive).mov(dwordAt(ref('packet.first')), recordEntry * entrySectors).call('read')
  code.mov('eax', at(buffer)).mov(at(ref('value')), 'eax')
  code.mov('si', ref('keptWord')).call('print').call('printNumber')
  code.mov('al', at(ref('value', 3))).test('al', 'al').jnz('.marked').mov('al', '.'.charCodeAt(0))
  code.label('.marked').call('put').call('newLine')
}

function keepTime(code: Assembler): void {
  code.label('tick').hlt().mov('dx', com1.lineStatus).in('al', 'dx').test('al', 1).jnz('obey')
  code.label('count').xor(byteAt(ref('phase')), 1).jnz('tick')
  code.cmp(byteAt(ref('held')), 0).jnz('tick').call('enter').jmp('tick')
}

function obey(code: Assembler): void {
  const key = (letter: string): number => letter.charCodeAt(0)
  code.label('obey').mov('dx', com1.data).in('al', 'dx')
  code.cmp('al', key('q')).jz('.off').cmp('al', key('p')).jz('.hold').cmp('al', key('g')).jz('.go').cmp('al', key('v')).jz('.verify')
  code.cmp('al', key('A')).jcc('b', 'count').cmp('al', key('Z')).jcc('a', 'count')
  code.mov(at(ref('value', 3)), 'al').jmp('.answer')
  code.label('.hold').mov(byteAt(ref('held')), 1).jmp('.answer')
  code.label('.go').mov(byteAt(ref('held')), 0)
  code.label('.answer').push('ax').mov('al', key('<')).call('put').pop('ax').call('put').mov('al', key('>')).call('put').call('newLine').jmp('count')
  code.label('.verify').call('verify').jmp('count')
  code.label('.off').mov('dx', power.register).mov('ax', power.off).out('dx', 'ax').jmp('count')
}

/** Adds one and writes it: first its own entry, then the last number. What can't be written is tried again with the next tick. */
function write(code: Assembler): void {
  code.label('enter').inc(dwordAt(ref('value')))
  code.mov('di', buffer).mov('cx', sectorBytes / 4).mov('eax', at(ref('value'))).rep().stosd()
  code.call('number').xor('edx', 'edx').mov('ecx', rounds).div('ecx').mov('eax', 'edx').call('toEntry').call('writeAll').jc('.failed')
  code.mov(dwordAt(ref('packet.first')), recordEntry * entrySectors).call('writeAll').jc('.failed')
  code.mov('si', ref('writtenWord')).call('print').call('printNumber').jmp('newLine')
  code.label('.failed').dec(dwordAt(ref('value'))).mov('si', ref('failedWord')).jmp('print')
}

/** Reads every entry of every disk and compares it with what the number in memory says. */
function verify(code: Assembler): void {
  code.label('verify').mov('dl', bootDrive)
  code.label('.disk').xor('ebx', 'ebx')
  // ebx: the entry; ebp: the number that it must hold, the greatest up to ours that has its place there, or 0 before there was one.
  code.label('.entry').mov('eax', 'ebx').call('toEntry')
  code.push('dx').call('number').mov('ebp', 'eax').add('eax', rounds).sub('eax', 'ebx').xor('edx', 'edx').mov('ecx', rounds).div('ecx').sub('ebp', 'edx').pop('dx')
  code.jcc('ns', '.read').xor('ebp', 'ebp')
  code.label('.read').call('read').jc('.torn')
  code.mov('eax', at(buffer)).and('eax', 0xffffff).cmp('eax', 'ebp').jnz('.torn').call('uniform').jnz('.torn')
  code.inc('ebx').cmp('ebx', rounds).jnz('.entry')
  code.mov(dwordAt(ref('packet.first')), recordEntry * entrySectors).call('read').jc('.torn')
  code.call('number').mov('ebp', 'eax').mov('eax', at(buffer)).and('eax', 0xffffff).cmp('eax', 'ebp').jnz('.torn').call('uniform').jnz('.torn')
  code.inc('dl').mov('al', 'dl').sub('al', bootDrive).cmp('al', at(ref('drives'))).jnz('.disk')
  code.mov('si', ref('wholeWord')).call('print').call('printNumber').jmp('newLine')
  code.label('.torn').push('dx').mov('si', ref('tornWord')).call('print').pop('ax').sub('al', bootDrive - '0'.charCodeAt(0)).call('put').jmp('newLine')
  // Zero flag: the sector is one number, again and again.
  code.label('uniform').mov('si', buffer).mov('di', buffer + 4).mov('cx', sectorBytes - 4).repe().cmpsb().ret()
}

function transfers(code: Assembler): void {
  // The entry eax, from 0, as the sector of the packet.
  code.label('toEntry').add('eax', firstEntry).shl('eax', Math.log2(entrySectors)).mov(at(ref('packet.first')), 'eax').ret()
  code.label('read').mov('si', ref('packet')).mov('ax', 0x4200).push('dx').int(0x13).pop('dx').ret()
  code.label('writeAll').mov('dl', bootDrive)
  code.label('.next').mov('si', ref('packet')).mov('ax', 0x4300).push('dx').int(0x13).pop('dx').jc('.end')
  code.inc('dl').mov('al', 'dl').sub('al', bootDrive).cmp('al', at(ref('drives'))).jnz('.next').clc()
  code.label('.end').ret()
  // The number without its mark.
  code.label('number').mov('eax', at(ref('value'))).and('eax', 0xffffff).ret()
  diskPacket(code, 'packet', 0, 1, buffer)
  code.label('value').dword(0).label('drives').byte(1).label('phase').byte(0).label('held').byte(0)
}

function printing(code: Assembler): void {
  code.label('printNumber').call('number').mov('di', ref('digits', 5)).mov('ecx', 10)
  code.label('.digit').xor('edx', 'edx').div('ecx').add('dl', '0'.charCodeAt(0)).mov(at('di'), 'dl').dec('di').cmp('di', ref('digits', -1)).jnz('.digit')
  code.mov('si', ref('digits'))
  code.label('print').lodsb().test('al', 'al').jz('.end').call('put').jmp('print').label('.end').ret()
  code.label('newLine').mov('al', 0x0d).call('put').mov('al', 0x0a)
  code.label('put').push('dx').mov('ah', 'al').mov('dx', com1.lineStatus)
  code.label('.busy').in('al', 'dx').test('al', 0x20).jz('.busy')
  code.mov('al', 'ah').mov('dx', com1.data).out('dx', 'al').pop('dx').ret()
  const word = (label: string, text: string): void => void code.label(label).text(text).byte(0)
  word('keptWord', 'kept=')
  word('writtenWord', 'n=')
  word('wholeWord', 'whole at ')
  word('tornWord', 'torn disk ')
  word('failedWord', 'write failed\r\n')
  word('digits', '000000')
}

/** What a disk of this guest holds. */
export interface Ledger {
  /** The last number; 0: it never ran. */
  number: number
  /** The mark that was written along; an empty text for none. */
  mark: string
}

/**
 * Reads a disk as it was at one instant.
 * @param content of the whole disk, raw
 * @throws when it is no disk of any instant: something of it is newer or older than its last number says, or damaged
 */
export function readLedger(content: Uint8Array): Ledger {
  const values = readValues(content)
  const record = values[recordEntry] ?? 0
  const number = record & 0xffffff
  for (let entry = 0; entry < rounds; entry++) {
    const found = (values[firstEntry + entry] ?? 0) & 0xffffff
    const due = Math.max(0, number - ((number + rounds - entry) % rounds))
    // Between the two writes of a step, the next number is there already and is not yet the last.
    const isNext = (number + 1) % rounds === entry && found === number + 1
    if (found !== due && !isNext) throw new Error(`Entry ${String(entry)} holds ${String(found)} where ${String(due)} was due at ${String(number)}.`)
  }
  return { number, mark: record >>> 24 === 0 ? '' : String.fromCharCode(record >>> 24) }
}

/**
 * Reads a disk that a power cut may have caught: each sector is whole and holds a number that belongs there, and none is older than the disk that it began with.
 * @param since what the disk held when it was last known to be on the drive
 */
export function readCutLedger(content: Uint8Array, since: Uint8Array | null = null): Ledger {
  const values = readValues(content)
  const before = since === null ? null : readValues(since)
  values.forEach((value, entry) => {
    const number = value & 0xffffff
    if (entry >= firstEntry && number !== 0 && number % rounds !== entry - firstEntry) throw new Error(`Entry ${String(entry - firstEntry)} holds ${String(number)}, which belongs elsewhere.`)
    const least = (before?.[entry] ?? 0) & 0xffffff
    if (number < least) throw new Error(`Entry ${String(entry)} holds ${String(number)} and held ${String(least)} before.`)
  })
  const record = values[recordEntry] ?? 0
  return { number: record & 0xffffff, mark: record >>> 24 === 0 ? '' : String.fromCharCode(record >>> 24) }
}

/** The value of each entry, by its place on the disk; 0 for that of the program. */
function readValues(content: Uint8Array): number[] {
  if (content.length < ledgerDiskBytes) throw new Error(`The disk has ${String(content.length)} bytes and should have ${String(ledgerDiskBytes)}.`)
  const disk = Buffer.from(content.buffer, content.byteOffset, content.length)
  return Array.from({ length: firstEntry + rounds }, (_, entry) => {
    if (entry < recordEntry) return 0
    const start = entry * entrySectors * sectorBytes
    const value = disk.readUInt32LE(start)
    for (let offset = 0; offset < sectorBytes; offset += 4) {
      if (disk.readUInt32LE(start + offset) !== value) throw new Error(`Sector ${String(entry * entrySectors)} is torn at byte ${String(offset)}.`)
    }
    return value
  })
}
