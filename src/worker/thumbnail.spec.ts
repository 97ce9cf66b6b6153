import { PNG } from 'pngjs'
import { expect, test } from 'vitest'
import { shrinkPng } from './thumbnail'

/** Left half red, right half blue, with noise that averages out in the lower half. */
function picture(width: number, height: number, options: { colorType: 2 | 6; filterType: number }): Buffer {
  const png = new PNG({ width, height })
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const noise = y < height / 2 ? 0 : (x + y) % 2 === 0 ? 50 : 0
      png.data.set(x < width / 2 ? [200, noise, 0, 255] : [0, noise, 200, 255], (y * width + x) * 4)
    }
  }
  return PNG.sync.write(png, options)
}

test.each([0, 1, 2, 3, 4].flatMap((filterType) => [{ filterType, colorType: 2 as const }, { filterType, colorType: 6 as const }]))('a picture of filter $filterType and colour type $colorType is shrunk to averages', async (options) => {
  const small = PNG.sync.read(Buffer.from(await shrinkPng(picture(1280, 800, options))))
  expect([small.width, small.height]).toEqual([400, 250])
  const at = (x: number, y: number): number[] => [...small.data.subarray((y * 400 + x) * 4, (y * 400 + x) * 4 + 3)]
  expect(at(10, 10)).toEqual([200, 0, 0])
  expect(at(390, 10)).toEqual([0, 0, 200])
  const [red = 0, green = 0] = at(10, 240)
  expect(red).toBe(200)
  expect(Math.abs(green - 25)).toBeLessThan(10)
})

test('a tall picture keeps its shape', async () => {
  const small = PNG.sync.read(Buffer.from(await shrinkPng(picture(600, 1200, { colorType: 2, filterType: 4 }))))
  expect([small.width, small.height]).toEqual([150, 300])
})

test('small pictures and unknown kinds come back as they are', async () => {
  const tiny = picture(320, 200, { colorType: 2, filterType: 0 })
  expect(await shrinkPng(tiny)).toBe(tiny)
  const noPng = Buffer.from('no picture')
  expect(await shrinkPng(noPng)).toBe(noPng)
})
