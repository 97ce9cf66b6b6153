import { glyphOf } from './glyphs'
import { paletteParts, rampIndex, type Ramp } from './palette'
import { distanceTo } from './strokes'

/** How a text looks. Sizes in pixels. */
export interface Lettering {
  capHeight: number
  /** Width of the pen. */
  pen: number
  /** Space between the ink of two letters. */
  spacing: number
}

/** A picture of one byte a pixel, drawn with smooth edges out of the palette's ramps. */
export class Canvas {
  readonly width: number
  readonly height: number
  readonly pixels: Uint8Array

  constructor(width: number, height: number) {
    this.width = width
    this.height = height
    this.pixels = new Uint8Array(width * height).fill(paletteParts.background)
  }

  /** Calls `colourAt` with the middle of each pixel in the rectangle; null leaves the pixel as it is. */
  paint(left: number, top: number, right: number, bottom: number, colourAt: (x: number, y: number) => number | null): void {
    for (let y = Math.max(0, Math.floor(top)); y < Math.min(this.height, Math.ceil(bottom)); y++) {
      for (let x = Math.max(0, Math.floor(left)); x < Math.min(this.width, Math.ceil(right)); x++) {
        const colour = colourAt(x + 0.5, y + 0.5)
        if (colour !== null) this.pixels[y * this.width + x] = colour
      }
    }
  }

  /**
   * Writes text with the top of its capitals at `y`.
   * @param strength 0..1: how far up its ramp the full ink goes
   * @returns where the next letter would start
   */
  write(text: string, x: number, y: number, lettering: Lettering, ramp: Ramp, strength = 1): number {
    let pen = x
    for (const character of text) pen = this.writeGlyph(character, pen, y, lettering, ramp, strength)
    return pen
  }

  /** A filled disc, e.g. the dot of an i. */
  disc(centreX: number, centreY: number, radius: number, ramp: Ramp): void {
    this.paint(centreX - radius - 1, centreY - radius - 1, centreX + radius + 1, centreY + radius + 1, (x, y) => {
      const cover = radius - Math.hypot(x - centreX, y - centreY) + 0.5
      return cover <= 0 ? null : rampIndex(ramp, cover)
    })
  }

  private writeGlyph(character: string, left: number, top: number, lettering: Lettering, ramp: Ramp, strength: number): number {
    const { strokes, width } = glyphOf(character)
    const scale = lettering.capHeight / 6
    const half = lettering.pen / 2
    const originX = left + half
    const right = originX + width * scale + half
    this.paint(left - 1, top - half - scale, right + 1, top + lettering.capHeight + half + 2.4 * scale, (x, y) => {
      const distance = distanceTo(strokes, (x - originX) / scale, (y - top) / scale) * scale
      const cover = Math.min(1, half - distance + 0.5)
      return cover <= 0 ? null : rampIndex(ramp, cover * strength)
    })
    return right + lettering.spacing
  }
}

/** How wide a text is, its last spacing included. */
export function textWidth(text: string, lettering: Lettering): number {
  return [...text].reduce((sum, character) => sum + advance(character, lettering), 0)
}

/** From the start of a letter to the start of the next. */
export function advance(character: string, lettering: Lettering): number {
  return (glyphOf(character).width * lettering.capHeight) / 6 + lettering.pen + lettering.spacing
}
