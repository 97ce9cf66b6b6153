import { at, byteAt, dwordAt, ref, wordAt, type Assembler } from '../assembler'
import { diskPacket, transfer } from './boot-sector'
import { memory, readSectors } from './layout'
import { themeCount } from './picture/palette'

/** VBE 640x480 with 256 colours, and the bit that asks for a linear frame buffer (VBE 3.0, 4.3 and 4.5). */
const vbe = { mode: 0x101, linear: 0x4000, supportedAndLinear: 0x81 } as const
/** Offsets in the mode information block. */
const modeInfo = { attributes: 0, pitch: 0x10, frameBuffer: 0x28 } as const
const vgaMode = { number: 0x13, frameBuffer: 0xa0000 } as const

/** The block of figures that describes the screen in use, in the order in which `sample-disk.ts` writes one for each design. */
export const screenBlock = [
  ['frameBuffer', 4],
  ['pitch', 4],
  ['width', 4],
  ['height', 4],
  ['rowsPerRead', 4],
  ['assetsFirst', 4],
  ['assetsReads', 4],
  ['backgroundFirst', 4],
  ['palettes', 4],
  ['seconds', 16],
  ['boots', 16],
  ['key', 16],
] as const

export const screenBlockBytes = screenBlock.reduce((sum, [, bytes]) => sum + bytes, 0)

/** Offsets in a field: where a text is drawn, and with which font. */
export const field = { x: 0, y: 2, width: 4, centred: 6, fontHeight: 8, font: 12 } as const

/** A font's table has one entry of this many bytes for each character: address of the pixels, then their width. */
export const glyphEntryBytes = 8

/**
 * Routines: `screenStart` picks a mode, loads its drawing and shows it; `drawSeconds`, `drawBoots`, `drawKey`; `nextTheme`; `dimScreen`;
 * `keepDeepColours`, for every tick of the timer.
 * Drawing goes to a linear frame buffer above 1 MiB, so it runs with flat data segments and, as the BIOS resets these, without interrupts.
 */
export function screenRoutines(code: Assembler): void {
  start(code)
  chooseMode(code)
  load(code)
  flatten(code)
  code.align(4).label('screen')
  for (const [name, bytes] of screenBlock) code.label(`screen.${name}`).padTo(code.address + bytes)
  diskPacket(code, 'picture', 0, readSectors, 0)
}

function start(code: Assembler): void {
  code.label('screenStart').call('chooseMode').call('loadAssets').call('setTheme').call('drawBackground')
  code.call('drawSeconds').call('drawBoots').call('drawKey').ret()

  const draw = (name: string, fieldName: string, prepare: () => void): void => {
    code.label(name)
    prepare()
    code.mov('bx', ref(`screen.${fieldName}`)).jmp('drawText')
  }
  // Five figures fit into the ring: after a day and four hours it shows the last five.
  draw('drawSeconds', 'seconds', () =>
    code
      .mov('eax', at(ref('seconds')))
      .xor('edx', 'edx')
      .mov('ecx', 100_000)
      .div('ecx')
      .mov('eax', 'edx')
      .call('formatNumber'),
  )
  draw('drawBoots', 'boots', () => code.mov('eax', at(ref('boots'))).call('formatNumber'))
  draw('drawKey', 'key', () => code.mov('si', at(ref('keyName'))))

  code
    .label('nextTheme')
    .inc(byteAt(ref('theme')))
    .cmp(byteAt(ref('theme')), themeCount)
    .jcc('b', 'setTheme')
  code.mov(byteAt(ref('theme')), 0).jmp('setTheme')
  code
    .label('dimScreen')
    .add(byteAt(ref('colourShift')), 2)
    .jmp('setTheme')
  code.label('theme').byte(0)
}

/** VBE with a linear frame buffer where there is one, else the mode that every VGA has. */
function chooseMode(code: Assembler): void {
  code.label('chooseMode').mov('ax', 0x4f01).mov('cx', vbe.mode).mov('di', memory.scratch).int(0x10)
  code.cmp('ax', 0x004f).jnz('.vga')
  code
    .mov('ax', at(memory.scratch + modeInfo.attributes))
    .and('ax', vbe.supportedAndLinear)
    .cmp('ax', vbe.supportedAndLinear)
    .jnz('.vga')
  code
    .mov('ax', 0x4f02)
    .mov('bx', vbe.mode | vbe.linear)
    .int(0x10)
    .cmp('ax', 0x004f)
    .jnz('.vga')
  code.mov('si', ref('largeScreen')).call('.use')
  code.mov('eax', at(memory.scratch + modeInfo.frameBuffer)).mov(at(ref('screen.frameBuffer')), 'eax')
  code.movzx('eax', wordAt(memory.scratch + modeInfo.pitch)).mov(at(ref('screen.pitch')), 'eax')
  // Eight bits a colour channel instead of six, where the card can.
  code.mov(byteAt(ref('deepColours')), 1).call('keepDeepColours')
  code.cmp('ax', 0x004f).jnz('.shallow').cmp('bh', 8).jnz('.shallow')
  code.mov(byteAt(ref('colourShift')), 0).ret()
  code.label('.shallow').mov(byteAt(ref('deepColours')), 0).ret()

  code.label('.vga').mov('ax', vgaMode.number).int(0x10)
  code
    .mov('si', ref('smallScreen'))
    .call('.use')
    .mov(dwordAt(ref('screen.frameBuffer')), vgaMode.frameBuffer)
    .ret()

  code.label('.use').mov('di', ref('screen')).mov('cx', screenBlockBytes).rep().movsb().ret()
  code.label('colourShift').byte(2)

  // QEMU's saved state has the palette but not the width of its entries, so that is asked for again and again. VBE 3.0, 4.11: function 8.
  code.label('keepDeepColours').cmp(byteAt(ref('deepColours')), 0).jz('.end')
  code.mov('ax', 0x4f08).mov('bx', 0x0800).int(0x10)
  code.label('.end').ret()
  code.label('deepColours').byte(0)
}

function load(code: Assembler): void {
  // Fonts and palettes, read after read.
  code
    .label('loadAssets')
    .mov('eax', at(ref('screen.assetsFirst')))
    .mov(at(ref('picture.first')), 'eax')
  code.mov(wordAt(ref('picture.segment')), memory.assets >> 4)
  code
    .label('.read')
    .call('readPicture')
    .add(wordAt(ref('picture.segment')), (readSectors * 512) >> 4)
  code
    .dec(dwordAt(ref('screen.assetsReads')))
    .jnz('.read')
    .ret()

  code.label('readPicture')
  transfer(code, 'picture', 0x42)
  code
    .jc('.failed')
    .add(dwordAt(ref('picture.first')), readSectors)
    .ret()
  code.label('.failed').mov('si', ref('pictureMessage')).call('print').ret()
  code.label('pictureMessage').text('the picture could not be read from the disk\r\n').byte(0)

  // The background goes through a buffer, some rows at a time. ebp is where the next row goes, and bx how many are left.
  code
    .label('drawBackground')
    .mov('eax', at(ref('screen.backgroundFirst')))
    .mov(at(ref('picture.first')), 'eax')
  code.mov(wordAt(ref('picture.segment')), memory.rows >> 4)
  code.mov('ebp', at(ref('screen.frameBuffer'))).mov('bx', at(ref('screen.height')))
  code.label('.rows').push('bx').push('ebp').call('readPicture').pop('ebp').pop('bx')
  code
    .call('flatten')
    .mov('esi', memory.rows)
    .mov('dx', at(ref('screen.rowsPerRead')))
  code
    .label('.row')
    .mov('edi', 'ebp')
    .mov('ecx', at(ref('screen.width')))
    .wideAddresses()
    .rep()
    .movsb()
  code
    .add('ebp', at(ref('screen.pitch')))
    .dec('bx')
    .jz('.done')
    .dec('dx')
    .jnz('.row')
    .sti()
    .jmp('.rows')
  code.label('.done').sti().ret()
}

/**
 * Turns interrupts off and gives ds and es base 0 and a limit of 4 GiB: descriptors loaded in protected mode stay in force
 * ("unreal mode"). The caller turns interrupts on again. Keeps all registers.
 */
function flatten(code: Assembler): void {
  code
    .label('flatten')
    .cli()
    .push('eax')
    .lgdt(at(ref('gdtPointer')))
  code.mov('eax', 'cr0').or('al', 1).mov('cr0', 'eax').jmp('.protected', 'short')
  code.label('.protected').mov('ax', 8).mov('ds', 'ax').mov('es', 'ax')
  code.mov('eax', 'cr0').and('al', 0xfe).mov('cr0', 'eax').jmp('.real', 'short')
  code.label('.real').xor('ax', 'ax').mov('ds', 'ax').mov('es', 'ax').pop('eax').ret()
  code.align(8).label('gdt').qword(0, 0x00cf93000000ffffn)
  code.label('gdtPointer').word(15).dword(ref('gdt'))
}
