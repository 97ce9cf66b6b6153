import { advance, Canvas, textWidth, type Lettering } from './canvas'
import { paletteParts, rampIndex, tickIndex } from './palette'

/** A text that changes while the machine runs. */
export interface Field {
  x: number
  y: number
  width: number
  centred: boolean
}

/** A picture for each character from space to underscore, all of one height; null where the font has none. */
export interface PictureFont {
  height: number
  glyphs: ({ width: number; pixels: Uint8Array } | null)[]
}

/** All that is drawn for one screen size. */
export interface Design {
  width: number
  height: number
  background: Uint8Array
  /** Figures in the middle of the ring. */
  figures: PictureFont
  /** Figures and words in the column beside it. */
  words: PictureFont
  seconds: Field
  boots: Field
  key: Field
}

export const firstCharacter = 0x20
export const lastCharacter = 0x5f

/** The drawing is made for 640x480 and scaled to what there is. */
const drawn = { width: 640, height: 480 }
const ring = { x: 194, y: 222, inner: 118, outer: 142, tickWidth: 7 }
const column = { x: 388, width: 226 }

export function designFor(width: number, height: number): Design {
  const scale = Math.min(width / drawn.width, height / drawn.height)
  const canvas = new Canvas(width, height)
  const at = placer(canvas, scale)
  const label: Lettering = { capHeight: Math.max(5, 9 * scale), pen: Math.max(1, 1.5 * scale), spacing: Math.max(1, 3 * scale) }
  const word: Lettering = { capHeight: 24 * scale, pen: Math.max(1.2, 2.8 * scale), spacing: 5 * scale }
  const figure: Lettering = { capHeight: 41 * scale, pen: Math.max(1.3, 4.4 * scale), spacing: 4 * scale }
  const words = pictureFont(word, ({ charCode }) => charCode >= firstCharacter)
  const figures = pictureFont(figure, ({ charCode }) => charCode >= 0x30 && charCode <= 0x39)

  drawRing(canvas, at)
  drawTitle(canvas, at)
  const write = (text: string, x: number, y: number): number => canvas.write(text, at.x(x), at.y(y), label, 'text', 0.5)
  write('SAMPLE MACHINE', column.x, 170)
  write('BOOTS', column.x, 222)
  write('LAST KEY', column.x, 296)
  const centredLabel = (text: string, x: number, y: number): void => {
    const half = (textWidth(text, label) - label.spacing) / 2
    canvas.write(text, at.x(x) - half, at.y(y), label, 'text', 0.5)
  }
  centredLabel('SECONDS', ring.x, 262)
  centredLabel('TYPE ANYTHING     F2  RESTART     F8  POWER OFF', drawn.width / 2, 438)

  const wordField = (y: number): Field => ({
    x: at.x(column.x),
    y: at.y(y) - margin(word),
    width: Math.round(column.width * scale),
    centred: false,
  })
  const secondsWidth = Math.round(182 * scale)
  return {
    width,
    height,
    background: canvas.pixels,
    figures,
    words,
    seconds: { x: at.x(ring.x) - Math.floor(secondsWidth / 2), y: at.y(195) - margin(figure), width: secondsWidth, centred: true },
    boots: wordField(246),
    key: wordField(320),
  }
}

interface Placer {
  scale: number
  x(x: number): number
  y(y: number): number
}

function placer(canvas: Canvas, scale: number): Placer {
  const left = (canvas.width - drawn.width * scale) / 2
  const top = (canvas.height - drawn.height * scale) / 2
  return { scale, x: (x) => Math.round(left + x * scale), y: (y) => Math.round(top + y * scale) }
}

/** Sixty marks of a clock, in a halo that fades to both sides. */
function drawRing(canvas: Canvas, at: Placer): void {
  const [centreX, centreY] = [at.x(ring.x), at.y(ring.y)]
  const [inner, outer, half] = [ring.inner * at.scale, ring.outer * at.scale, (ring.tickWidth * at.scale) / 2]
  const middle = (inner + outer) / 2
  const reach = { inwards: 30 * at.scale, outwards: 60 * at.scale }
  const limit = outer + reach.outwards
  canvas.paint(centreX - limit, centreY - limit, centreX + limit, centreY + limit, (x, y) => {
    const [dx, dy] = [x - centreX, y - centreY]
    const radius = Math.sqrt(dx * dx + dy * dy)
    if (radius > limit || radius < middle - reach.inwards) return null
    // Tick 0 points up, and they go on clockwise.
    const turn = (Math.atan2(dx, -dy) / (2 * Math.PI) + 1) % 1
    const tick = Math.round(turn * 60) % 60
    const angle = (tick / 60) * 2 * Math.PI
    const along = dx * Math.sin(angle) - dy * Math.cos(angle)
    const across = dx * Math.cos(angle) + dy * Math.sin(angle)
    const clamped = Math.min(outer - half, Math.max(inner + half, along))
    const cover = half - Math.hypot(along - clamped, across) + 0.5
    if (cover > 0.17) return tickIndex(tick, cover)
    const away = radius < middle ? (middle - radius) / reach.inwards : (radius - middle) / reach.outwards
    const halo = Math.max(0, 1 - away) ** 2
    return rampIndex('halo', halo + dither(x, y) / paletteParts.halo.levels)
  })
}

/** Ordered dither, -0.5..0.5, so that slow gradients show no bands. */
function dither(x: number, y: number): number {
  const matrix = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5]
  return ((matrix[(Math.floor(y) % 4) * 4 + (Math.floor(x) % 4)] ?? 0) + 0.5) / 16 - 0.5
}

function drawTitle(canvas: Canvas, at: Placer): void {
  const lettering: Lettering = { capHeight: 38 * at.scale, pen: Math.max(1.5, 4.6 * at.scale), spacing: 6.4 * at.scale }
  const top = at.y(100)
  let x = at.x(column.x)
  for (const character of 'Ringside') {
    if (character === 'i') canvas.disc(x + lettering.pen / 2 + lettering.capHeight / 60, top + 3 * at.scale, 4 * at.scale, 'accent')
    x = canvas.write(character, x, top, lettering, 'text')
  }
}

/** Room above and below the capitals for the pen and for what hangs lower, as in a comma. */
function margin(lettering: Lettering): number {
  return Math.ceil(lettering.pen / 2 + lettering.capHeight / 6)
}

function pictureFont(lettering: Lettering, has: (character: { charCode: number }) => boolean): PictureFont {
  const height = Math.ceil(lettering.capHeight) + 2 * margin(lettering)
  const codes = Array.from({ length: lastCharacter - firstCharacter + 1 }, (_, index) => firstCharacter + index)
  const glyphs = codes.map((charCode) => {
    if (!has({ charCode })) return null
    const character = String.fromCharCode(charCode)
    const canvas = new Canvas(Math.ceil(advance(character, lettering)), height)
    canvas.write(character, 1, margin(lettering), lettering, 'text')
    return { width: canvas.width, pixels: canvas.pixels }
  })
  return { height, glyphs }
}
