import { PNG } from 'pngjs'
import { expect, test } from 'vitest'
import { ppmToPng } from './screenshot'

test('a PPM becomes a PNG of the same pixels', () => {
  const ppm = Buffer.concat([Buffer.from('P6\n2 1\n255\n'), Buffer.from([255, 0, 0, 1, 2, 3])])
  const png = PNG.sync.read(Buffer.from(ppmToPng(ppm)))
  expect([png.width, png.height]).toEqual([2, 1])
  expect([...png.data]).toEqual([255, 0, 0, 255, 1, 2, 3, 255])
})

test.each([['nothing', ''], ['another format', 'P5\n1 1\n255\nx'], ['too few pixels', 'P6\n2 2\n255\nabc']])('%s is refused', (_name, text) => {
  expect(() => ppmToPng(Buffer.from(text))).toThrow('no PPM')
})
