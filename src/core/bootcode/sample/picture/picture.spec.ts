import { expect, test } from 'vitest'
import { designFor, firstCharacter, lastCharacter } from './design'
import { bytesPerTick, fixedPaletteBytes, paletteData, paletteParts, rampIndex, themeBytes, themeCount, tickIndex } from './palette'
import { distanceTo, line } from './strokes'

test('the palette has 256 entries, none of them for two purposes', () => {
  const { halo, text, accent, ticks } = paletteParts
  expect([halo.first + halo.levels, text.first + text.levels, accent.first + accent.levels]).toEqual([
    text.first,
    accent.first,
    ticks.first,
  ])
  expect(ticks.first + ticks.count * ticks.levels).toBe(256)
  expect(themeBytes).toBe(fixedPaletteBytes + 60 * bytesPerTick)
  expect(paletteData().length).toBe(themeBytes * themeCount)
})

test('ramps begin at the background and end at the full colour', () => {
  expect(rampIndex('text', 0)).toBe(paletteParts.background)
  expect(rampIndex('text', 2)).toBe(paletteParts.text.first + paletteParts.text.levels - 1)
  expect(tickIndex(59, 1)).toBe(255)
})

test.each([
  [640, 480],
  [320, 200],
])('the design for %i by %i has every tick of the ring, and its fields are on the screen', (width, height) => {
  const design = designFor(width, height)
  expect(design.background.length).toBe(width * height)
  const used = new Set(design.background)
  for (let tick = 0; tick < 60; tick++) expect(used.has(tickIndex(tick, 1))).toBe(true)
  for (const [field, font] of [
    [design.seconds, design.figures] as const,
    [design.boots, design.words] as const,
    [design.key, design.words] as const,
  ]) {
    expect(field.x).toBeGreaterThanOrEqual(0)
    expect(field.x + field.width).toBeLessThanOrEqual(width)
    expect(field.y + font.height).toBeLessThanOrEqual(height)
  }
})

test('what is drawn later covers only background, so that its rectangles do not show', () => {
  const design = designFor(640, 480)
  for (const [field, font] of [
    [design.seconds, design.figures] as const,
    [design.boots, design.words] as const,
    [design.key, design.words] as const,
  ]) {
    for (let row = field.y; row < field.y + font.height; row++) {
      const start = row * design.width + field.x
      expect(new Set(design.background.subarray(start, start + field.width))).toEqual(new Set([paletteParts.background]))
    }
  }
})

test('the font for words has a picture for each character that a key can name', () => {
  const { words, figures } = designFor(640, 480)
  expect(words.glyphs.length).toBe(lastCharacter - firstCharacter + 1)
  expect(words.glyphs.every((glyph) => glyph && glyph.pixels.length === glyph.width * words.height)).toBe(true)
  expect(figures.glyphs.filter((glyph) => glyph !== null).length).toBe(10)
})

test('the distance to a stroke is the one to its nearest point', () => {
  expect(distanceTo([line(0, 0, 10, 0)], 5, 3)).toBe(3)
  expect(distanceTo([line(0, 0, 10, 0)], 14, 3)).toBe(5)
  expect(distanceTo([line(1, 1, 1, 1)], 1, 3)).toBe(2)
})
