import { PNG } from 'pngjs'

/** A small picture that looks like a screen and differs with `seed`. */
export function fakePng(seed: number, width = 320, height = 200): Uint8Array {
  const png = new PNG({ width, height })
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 4
      const text = y % 12 > 3 && x > 8 && (x * 7 + Math.floor(y / 12) * 13 + seed) % 11 < 5 && x < 60 + ((Math.floor(y / 12) * 53 + seed * 9) % 220)
      png.data[at] = text ? 190 : 16 + ((seed * 5) % 32)
      png.data[at + 1] = text ? 220 : 20
      png.data[at + 2] = text ? 190 : 40 + Math.floor((y * 60) / height)
      png.data[at + 3] = 255
    }
  }
  return new Uint8Array(PNG.sync.write(png))
}
