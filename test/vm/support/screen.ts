import { readFile } from 'node:fs/promises'
import { PNG } from 'pngjs'

/** A picture of a guest's screen. */
export interface Picture {
  width: number
  height: number
  /** Four bytes a pixel: red, green, blue, alpha. */
  data: Uint8Array
}

export function decodePng(content: Uint8Array): Picture {
  return PNG.sync.read(Buffer.from(content))
}

export async function readPng(path: string): Promise<Picture> {
  return decodePng(await readFile(path))
}

export function encodePng(picture: Picture): Buffer {
  const png = new PNG({ width: picture.width, height: picture.height })
  png.data = Buffer.from(picture.data)
  return PNG.sync.write(png)
}

/**
 * The share of pixels that differ, 0..1. Pictures of different sizes differ entirely.
 * @param tolerance how far a colour channel may be off, for lossy encodings
 */
export function difference(left: Picture, right: Picture, tolerance = 0): number {
  if (left.width !== right.width || left.height !== right.height) return 1
  let different = 0
  for (let offset = 0; offset < left.data.length; offset += 4) {
    if (differs(left.data, right.data, offset, tolerance)) different++
  }
  return different / (left.width * left.height)
}

/** How many colours the picture has: a blank screen has one. */
export function colourCount(picture: Picture): number {
  const colours = new Set<number>()
  for (let offset = 0; offset < picture.data.length; offset += 4) {
    const [red = 0, green = 0, blue = 0] = picture.data.subarray(offset, offset + 3)
    colours.add((red << 16) | (green << 8) | blue)
  }
  return colours.size
}

/** The share of pixels that are lighter than middle grey, 0..1: how much of a text screen is filled. */
export function lightShare(picture: Picture): number {
  let light = 0
  for (let offset = 0; offset < picture.data.length; offset += 4) {
    const [red = 0, green = 0, blue = 0] = picture.data.subarray(offset, offset + 3)
    if (red + green + blue > 3 * 0x7f) light++
  }
  return light / (picture.width * picture.height)
}

/** A part of the picture, to compare one area only. */
export function crop(picture: Picture, x: number, y: number, width: number, height: number): Picture {
  const data = new Uint8Array(width * height * 4)
  for (let row = 0; row < height; row++) {
    const from = ((y + row) * picture.width + x) * 4
    data.set(picture.data.subarray(from, from + width * 4), row * width * 4)
  }
  return { width, height, data }
}

function differs(left: Uint8Array, right: Uint8Array, offset: number, tolerance: number): boolean {
  for (let channel = 0; channel < 3; channel++) {
    if (Math.abs((left[offset + channel] ?? 0) - (right[offset + channel] ?? 0)) > tolerance) return true
  }
  return false
}
