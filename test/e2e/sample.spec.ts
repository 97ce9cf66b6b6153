import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { difference, lightShare } from '../vm/support/screen'
import { lastKeyPicture, untilPicture } from './support/screen'
import { readableSerial, serialLines } from './support/serial'
import { inWindow } from './support/window'

test('the sample machine is one click away, answers keys, and goes on where it was after being saved to disk', async () => {
  await inWindow('sample', {}, async ({ page }) => {
    await page.getByRole('button', { name: /Try the sample machine/u }).click()
    await page.waitForURL(/\/console/u)
    await page.getByTestId('screen-stage').locator('canvas').waitFor()
    // It tells of keys, "none yet" at first, once it has drawn all else.
    const before = lastKeyPicture(await untilPicture(page, (picture) => lightShare(lastKeyPicture(picture)) > 0.02, 'the sample'))
    await page.getByTestId('screen-stage').locator('canvas').click()
    await page.keyboard.press('q')
    await untilPicture(page, (picture) => difference(lastKeyPicture(picture), before) > 0.01, 'the key that was typed')

    await page.getByRole('tab', { name: 'Serial' }).click()
    await readableSerial(page)
    await expect.poll(() => lastTick(page), { timeout: 60_000 }).toBeGreaterThan(2)

    await page.getByRole('button', { name: 'Other ways to end it' }).click()
    await page.getByRole('menuitem', { name: 'Save to disk' }).click()
    await page.getByRole('status').getByText('Saved', { exact: true }).waitFor()
    const saved = await lastTick(page)
    await page.getByRole('button', { name: 'Restore', exact: true }).click()
    await page.getByRole('status').getByText('Running', { exact: true }).waitFor()
    await expect.poll(() => lastTick(page), { timeout: 60_000 }).toBeGreaterThan(saved)
    // A counter that goes on, and no second boot.
    const lines = (await serialLines(page)).join('\n')
    expect(lines).not.toContain('boot 2')
    expect(lines.match(/ringside sample/gu)).toHaveLength(1)

    await page.getByRole('button', { name: 'Other ways to end it' }).click()
    await page.getByRole('menuitem', { name: 'Power off' }).click()
    await page.getByRole('status').getByText('Stopped', { exact: true }).waitFor()
  })
})

/** The count that the sample wrote last on its serial port; 0 before the first. */
async function lastTick(page: Page): Promise<number> {
  const ticks = [...(await serialLines(page)).join('\n').matchAll(/tick\s(\d+)\sboot\s1/gu)]
  return Number(ticks.at(-1)?.[1] ?? 0)
}
