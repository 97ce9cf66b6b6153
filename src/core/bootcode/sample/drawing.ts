import { at, byteAt, dwordAt, ref, wordAt, type Assembler } from '../assembler'
import { bytesPerTick, fixedPaletteBytes, paletteParts, themeBytes } from './picture/palette'
import { field, glyphEntryBytes } from './screen'
import { firstCharacter } from './picture/design'

const palettePorts = { index: 0x3c8, data: 0x3c9 } as const

/**
 * Routines: `drawText` writes the text at si into the field at bx; `setTheme` loads the palette of the theme; `drawRing` shows the seconds on
 * the ring, by its part of the palette alone.
 */
export function drawingRoutines(code: Assembler): void {
  drawText(code)
  fill(code)
  colours(code)
}

/** edi is where the next column goes, and dx how many columns of the field are left. */
function drawText(code: Assembler): void {
  code.label('drawText').call('flatten')
  code
    .movzx('eax', wordAt('bx', field.y))
    .imul('eax', dwordAt(ref('screen.pitch')))
    .movzx('edi', wordAt('bx', field.x))
  code
    .add('edi', 'eax')
    .add('edi', at(ref('screen.frameBuffer')))
    .mov('dx', at('bx', field.width))
  code.cmp(wordAt('bx', field.centred), 0).jz('.next')
  code.call('measure').mov('cx', 'dx').sub('cx', 'ax').jcc('be', '.next').shr('cx', 1).call('fill')

  code.label('.next').lodsb().test('al', 'al').jz('.rest').call('findGlyph').cmp('cx', 'dx').jcc('a', '.rest')
  code.sub('dx', 'cx').push('si').push('edi').call('blit').pop('edi').pop('si')
  code.movzx('ecx', 'cx').add('edi', 'ecx').jmp('.next')
  code.label('.rest').mov('cx', 'dx').call('fill').sti().ret()

  // Entry of the character in al: address of its pixels in ebp, width in cx; a character without one has width 0.
  code.label('findGlyph').xor('cx', 'cx').movzx('eax', 'al').sub('eax', firstCharacter).cmp('eax', 0x3f).jcc('a', '.end')
  code
    .imul('eax', dwordAt(ref('glyphEntryBytes')))
    .add('eax', at('bx', field.font))
    .mov('ebp', at('eax'))
    .mov('cx', at('eax', 4))
  code.label('.end').ret()
  code.label('glyphEntryBytes').dword(glyphEntryBytes)

  // Width of the text at si in ax.
  code.label('measure').push('si').push('dx').xor('dx', 'dx')
  code.label('.next').lodsb().test('al', 'al').jz('.end').call('findGlyph').add('dx', 'cx').jmp('.next')
  code.label('.end').mov('ax', 'dx').pop('dx').pop('si').ret()

  // cx columns of pixels from ebp to edi. Keeps cx.
  code.label('blit').mov('esi', 'ebp').mov('ax', at('bx', field.fontHeight))
  code.label('.row').push('cx').push('edi').movzx('ecx', 'cx').wideAddresses().rep().movsb().pop('edi').pop('cx')
  code
    .add('edi', at(ref('screen.pitch')))
    .dec('ax')
    .jnz('.row')
    .ret()
}

/** cx columns of background at edi, which moves on; dx loses them. */
function fill(code: Assembler): void {
  code.label('fill').test('cx', 'cx').jz('.end')
  code.push('edi').push('cx').mov('bp', at('bx', field.fontHeight))
  code
    .label('.row')
    .push('cx')
    .push('edi')
    .movzx('ecx', 'cx')
    .mov('al', paletteParts.background)
    .wideAddresses()
    .rep()
    .stosb()
    .pop('edi')
    .pop('cx')
  code
    .add('edi', at(ref('screen.pitch')))
    .dec('bp')
    .jnz('.row')
  code.pop('cx').pop('edi').sub('dx', 'cx').movzx('ecx', 'cx').add('edi', 'ecx')
  code.label('.end').ret()
}

function colours(code: Assembler): void {
  code.label('setTheme').call('flatten').call('findTheme').mov('dx', palettePorts.index).xor('al', 'al').out('dx', 'al')
  code.mov('cx', fixedPaletteBytes).call('sendColours').sti()
  // Goes on into the ring: its entries follow the fixed ones.

  // Tick i has the colours of a tick that is (seconds - i) modulo 60 old: bx is that age, bp counts the ticks.
  const { first, count } = paletteParts.ticks
  code.label('drawRing').call('flatten').call('findTheme').mov('dx', palettePorts.index).mov('al', first).out('dx', 'al')
  code
    .mov('eax', at(ref('seconds')))
    .xor('edx', 'edx')
    .mov('ecx', count)
    .div('ecx')
    .mov('bx', 'dx')
    .mov('bp', count)
  code
    .add('esi', fixedPaletteBytes)
    .label('.tick')
    .push('esi')
    .movzx('eax', 'bx')
    .imul('eax', dwordAt(ref('bytesPerTick')))
    .add('esi', 'eax')
  code.mov('cx', bytesPerTick).call('sendColours').pop('esi')
  code
    .dec('bx')
    .jcc('ns', '.same')
    .mov('bx', count - 1)
  code.label('.same').dec('bp').jnz('.tick').sti().ret()
  code.label('bytesPerTick').dword(bytesPerTick)

  // The theme's palette in esi.
  code
    .label('findTheme')
    .movzx('eax', byteAt(ref('theme')))
    .imul('eax', dwordAt(ref('themeBytes')))
    .mov('esi', at(ref('screen.palettes')))
    .add('esi', 'eax')
    .ret()
  code.label('themeBytes').dword(themeBytes)

  // cx bytes from esi to the palette, as many bits as it takes.
  code
    .label('sendColours')
    .push('bx')
    .mov('bx', 'cx')
    .mov('cl', at(ref('colourShift')))
    .mov('dx', palettePorts.data)
  code.label('.next').wideAddresses().lodsb().shr('al', 'cl').out('dx', 'al').dec('bx').jnz('.next').pop('bx').ret()
}
