#!/usr/bin/env node
// @ts-check
// Renders the pictures of resources/icons from their drawings, with Chromium. They are kept in git: run it after a drawing was changed.
import { readFileSync, writeFileSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { at } from './setup/project.mjs'
import { findChromium } from './setup/system-packages.mjs'

/** @type {[drawing: string, picture: string, pixels: number][]} */
const pictures = [
  ['icon', 'icon', 1024],
  ...[16, 32, 48, 64, 128, 256, 512].map((pixels) => /** @type {[string, string, number]} */ (['icon', `sizes/${pixels}x${pixels}`, pixels])),
  ['tray', 'tray', 16], ['tray', 'tray@1.5x', 24], ['tray', 'tray@2x', 32], ['tray', 'tray@3x', 48],
  ['trayTemplate', 'trayTemplate', 16], ['trayTemplate', 'trayTemplate@2x', 32],
]

const executablePath = findChromium() ?? 'chromium'
const browser = await chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] })
try {
  for (const [drawing, picture, pixels] of pictures) {
    // Below 32 pixels the fine drawing is a smear.
    const source = drawing === 'icon' && pixels < 32 ? 'tray' : drawing
    const svg = readFileSync(at('resources/icons', `${source}.svg`), 'utf8')
    const page = await browser.newPage({ viewport: { width: pixels, height: pixels } })
    await page.setContent(`<style>body { margin: 0 } svg { display: block; width: ${pixels}px; height: ${pixels}px }</style>${svg}`)
    writeFileSync(at('resources/icons', `${picture}.png`), await page.screenshot({ omitBackground: true }))
    await page.close()
    console.log(`resources/icons/${picture}.png`)
  }
} finally {
  await browser.close()
}
