import { expect, test } from 'vitest'
import { isCrisp, pictureSize, wantedGuestSize } from './screen-scale'

const guest = { width: 1200, height: 900 }

test.each([
  [1, { width: 1200, height: 900 }],
  [1.5, { width: 800, height: 600 }],
  [2, { width: 1200, height: 900 }],
  [3, { width: 1200, height: 900 }],
  [0.5, { width: 2400, height: 1800 }],
])('actual size at %f device pixels per CSS pixel is whole device pixels', (ratio, css) => {
  const picture = pictureSize('actual', guest, { width: 500, height: 500 }, ratio)
  expect(picture).toEqual(css)
  expect(isCrisp(guest.width, picture.width, ratio)).toBe(true)
})

test('fit fills the view in one direction and keeps the shape', () => {
  expect(pictureSize('fit', guest, { width: 600, height: 600 }, 1)).toEqual({ width: 600, height: 450 })
  expect(pictureSize('fit', { width: 320, height: 200 }, { width: 800, height: 600 }, 1)).toEqual({ width: 800, height: 500 })
})

test('fit gives up a few pixels to be sharp', () => {
  expect(pictureSize('fit', { width: 640, height: 480 }, { width: 1290, height: 970 }, 1)).toEqual({ width: 1280, height: 960 })
  expect(pictureSize('fit', guest, { width: 1216, height: 920 }, 1)).toEqual(guest)
})

test('a guest that took the wanted size is shown at actual size, another is fitted', () => {
  const view = { width: 1003, height: 701 }
  expect(wantedGuestSize(view, 1)).toEqual({ width: 1000, height: 700 })
  expect(pictureSize('resize', { width: 1000, height: 700 }, view, 1)).toEqual({ width: 1000, height: 700 })
  expect(pictureSize('resize', { width: 640, height: 480 }, { width: 1000, height: 600 }, 1)).toEqual({ width: 800, height: 600 })
})

test('on a dense screen the guest is asked for a size that its text can be read at', () => {
  expect(wantedGuestSize({ width: 800, height: 600 }, 2)).toEqual({ width: 800, height: 600 })
  expect(wantedGuestSize({ width: 800, height: 600 }, 1.5)).toEqual({ width: 1200, height: 900 })
  expect(wantedGuestSize({ width: 10, height: 10 }, 1)).toEqual({ width: 320, height: 200 })
})

test('a picture between whole factors is smoothed', () => {
  expect(isCrisp(1200, 1000, 1)).toBe(false)
  expect(isCrisp(1200, 1800, 1)).toBe(false)
  expect(isCrisp(0, 100, 1)).toBe(false)
})

test('nothing to show yet takes the whole view', () => {
  expect(pictureSize('fit', { width: 0, height: 0 }, { width: 10, height: 10 }, 1)).toEqual({ width: 10, height: 10 })
})
