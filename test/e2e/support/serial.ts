import { expect } from 'vitest'
import type { Page } from 'playwright-core'

/**
 * Makes the serial console write its text where screen readers, and tests, find it: the terminal itself paints on a canvas.
 * Expects the serial console to be shown.
 */
export async function readableSerial(page: Page): Promise<void> {
  await page.getByTestId('serial-more').click()
  await page.getByRole('menuitemcheckbox', { name: 'Screen reader support' }).click()
  await page.keyboard.press('Escape')
}

/** What the serial console shows now, line by line. */
export async function serialLines(page: Page): Promise<string[]> {
  return page.getByTestId('serial-stage').locator('.xterm-accessibility-tree > div').allInnerTexts()
}

/** Waits until the serial console shows the text. */
export async function serialText(page: Page, text: string, timeoutMs = 60_000): Promise<void> {
  await expect.poll(async () => (await serialLines(page)).join('\n').replaceAll('\u00a0', ' '), { timeout: timeoutMs }).toContain(text)
}
