import type { Assembler } from '../assembler'
import { freshRecord } from './boot-record'
import { assembleBootSector } from './boot-sector'
import { disk, memory, readSectors, record, sectorBytes } from './layout'
import { designFor, type Design, type Field, type PictureFont } from './picture/design'
import { paletteData } from './picture/palette'
import { assembleProgram } from './program'
import { glyphEntryBytes, screenBlock } from './screen'

const diskBytes = 2 ** 20
const readBytes = readSectors * sectorBytes

interface PlacedDesign {
  design: Design
  assets: Uint8Array
  /** Sectors of the disk. */
  assetsFirst: number
  backgroundFirst: number
  /** Addresses in memory. */
  palettes: number
  words: number
  figures: number
}

/**
 * The raw disk image of the sample machine, 1 MiB: boot sector, boot record, program, and the drawings for two screen sizes. Made by this
 * code alone: the same bytes each time.
 */
export function assembleSampleDisk(): Uint8Array {
  const image = new Uint8Array(diskBytes)
  const large = place(designFor(640, 480), disk.assets)
  const small = place(designFor(320, 200), nextSector(large))
  const program = assembleProgram((code) => {
    describe(code, 'largeScreen', large)
    describe(code, 'smallScreen', small)
  })
  if (nextSector(small) * sectorBytes > diskBytes) throw new RangeError('The drawings of the sample machine have outgrown its disk')
  image.set(assembleBootSector(), 0)
  image.set(freshRecord(), disk.record * sectorBytes)
  image.set(program, disk.program * sectorBytes)
  for (const placed of [large, small]) {
    image.set(placed.assets, placed.assetsFirst * sectorBytes)
    putBackground(image, placed)
  }
  return image
}

/** What others must know to run the sample machine and to recognise what it does. */
export const sampleMachineFacts = {
  diskBytes,
  memoryMiB: { least: 16, suggested: 32 },
  processors: 1,
  firmware: 'bios',
  screen: { width: 640, height: 480 },
  /** COM1, 115200 baud; lines end with CR LF. */
  serial: {
    greeting: (boot: number) => `ringside sample, boot ${String(boot)}`,
    tick: /tick (\d+) boot (\d+)\r\n/,
    key: (name: string) => `key ${name}`,
    powerButton: 'power button',
    powerOff: 'power off',
    restart: 'restart',
    recordDamaged: 'disk record damaged, counting from 1',
    notWritable: 'disk not writable, this boot is not counted',
  },
  /** QEMU's names (QKeyCode) of the keys that do something else than show themselves. */
  keys: { restart: 'f2', powerOff: 'f8' },
  /** Text at the start of the boot record, by which the disk is recognised. */
  recordMagic: record.magic,
} as const

function place(design: Design, firstSector: number): PlacedDesign {
  const parts: Uint8Array[] = []
  let address: number = memory.assets
  const put = (part: Uint8Array): number => {
    const start = address
    parts.push(part)
    address += part.length
    return start
  }
  const palettes = put(paletteData())
  const words = put(fontData(design.words, address))
  const figures = put(fontData(design.figures, address))
  const reads = Math.ceil((address - memory.assets) / readBytes)
  if (memory.assets + reads * readBytes > memory.assetsEnd) throw new RangeError("The fonts don't fit into the sample machine's memory")
  const backgroundFirst = firstSector + reads * readSectors
  return { design, assets: Buffer.concat(parts), assetsFirst: firstSector, backgroundFirst, palettes, words, figures }
}

/** The table of a font, then its pixels. */
function fontData(font: PictureFont, address: number): Uint8Array {
  const table = Buffer.alloc(font.glyphs.length * glyphEntryBytes)
  const parts: Uint8Array[] = [table]
  let next = address + table.length
  font.glyphs.forEach((glyph, index) => {
    if (!glyph) return
    table.writeUInt32LE(next, index * glyphEntryBytes)
    table.writeUInt16LE(glyph.width, index * glyphEntryBytes + 4)
    parts.push(glyph.pixels)
    next += glyph.pixels.length
  })
  return Buffer.concat(parts)
}

function describe(code: Assembler, label: string, placed: PlacedDesign): void {
  const { design } = placed
  const numbers: Record<string, number> = {
    // Known once the mode is set.
    frameBuffer: 0,
    pitch: design.width,
    width: design.width,
    height: design.height,
    rowsPerRead: rowsPerRead(design),
    assetsFirst: placed.assetsFirst,
    assetsReads: (placed.backgroundFirst - placed.assetsFirst) / readSectors,
    backgroundFirst: placed.backgroundFirst,
    palettes: placed.palettes,
  }
  const fields: Record<string, [Field, PictureFont, number]> = {
    seconds: [design.seconds, design.figures, placed.figures],
    boots: [design.boots, design.words, placed.words],
    key: [design.key, design.words, placed.words],
  }
  code.label(label)
  for (const [name] of screenBlock) {
    const number = numbers[name]
    const entry = fields[name]
    if (number !== undefined) code.dword(number)
    else if (entry) describeField(code, ...entry)
    else throw new RangeError(`The screen's description has no ${name}`)
  }
}

function describeField(code: Assembler, field: Field, font: PictureFont, fontAddress: number): void {
  code.word(field.x, field.y, field.width, field.centred ? 1 : 0)
  code.dword(font.height, fontAddress)
}

function rowsPerRead(design: Design): number {
  return Math.floor(readBytes / design.width)
}

/** Each read of the program fetches whole rows; what is left of its sectors stays empty. */
function putBackground(image: Uint8Array, { design, backgroundFirst }: PlacedDesign): void {
  const rows = rowsPerRead(design)
  for (let row = 0, read = 0; row < design.height; row += rows, read++) {
    const part = design.background.subarray(row * design.width, (row + rows) * design.width)
    image.set(part, backgroundFirst * sectorBytes + read * readBytes)
  }
}

function nextSector({ design, backgroundFirst }: PlacedDesign): number {
  return backgroundFirst + Math.ceil(design.height / rowsPerRead(design)) * readSectors
}
