import type { Locator, Page } from 'playwright-core'
import { expect } from 'vitest'

/** Presses Tab, or another key that moves the focus on, until the element has it; fails after a whole round without it. */
export async function tabTo(page: Page, target: Locator, key: 'Tab' | 'Shift+Tab' | 'ArrowDown' = 'Tab'): Promise<void> {
  for (let step = 0; step < 60; step++) {
    if (await hasFocus(target)) return
    await page.keyboard.press(key)
  }
  throw new Error(`${key} never reached ${String(target)}.`)
}

export async function isFocused(target: Locator): Promise<void> {
  await expect.poll(() => hasFocus(target)).toBe(true)
}

async function hasFocus(target: Locator): Promise<boolean> {
  return target.evaluate((element) => element === document.activeElement)
}
