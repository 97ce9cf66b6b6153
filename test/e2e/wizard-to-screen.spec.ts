import type { Locator } from 'playwright-core'
import { expect, test } from 'vitest'
import { difference, lightShare } from '../vm/support/screen'
import { grubIso } from '../vm/support/guests'
import { consolePicture, untilPicture } from './support/screen'
import { inWindow } from './support/window'

test('a wizard makes a machine from an ISO, its screen is seen, keys change it, graphs move, it powers off', async () => {
  const iso = await grubIso()
  await inWindow('wizard-to-screen', {}, async ({ page }) => {
    // The empty library invites the first machine.
    await page.getByRole('main').getByRole('button', { name: /New machine/u }).click()
    await page.getByTestId('wizard-file').fill(iso)
    await page.getByTestId('image-report').getByText('Disc image').waitFor()
    await page.getByTestId('wizard-next').click()
    await page.getByTestId('wizard-os-search').fill('any other 64')
    await page.getByTestId('os-other').check()
    await page.getByTestId('wizard-next').click()
    // Resources: the defaults of the system are in place.
    await page.getByTestId('wizard-next').click()
    await page.getByTestId('wizard-name').fill('Rescue disc')
    await page.getByTestId('wizard-create').click()

    // The machine starts on its console.
    await page.waitForURL(/\/console/u)
    await page.getByTestId('screen-stage').locator('canvas').waitFor()
    const grub = await untilPicture(page, (picture) => lightShare(picture) > 0.005, 'anything')
    await untilPicture(page, (picture) => lightShare(picture) > 0.002 && difference(picture, grub) > 0.002, 'GRUB after the firmware')
    const before = await consolePicture(page)
    await page.getByTestId('screen-stage').locator('canvas').click()
    await page.keyboard.type('help', { delay: 50 })
    await page.keyboard.press('Enter')
    await untilPicture(page, (picture) => difference(picture, before) > 0.01, 'what was typed')

    // Graphs move.
    await page.getByRole('tab', { name: 'Overview' }).click()
    const cpu = page.getByRole('region', { name: 'CPU', exact: true })
    const first = await graphPixels(cpu)
    await expect.poll(async () => (await graphPixels(cpu)).equals(first), { timeout: 20_000 }).toBe(false)

    // GRUB does not answer the power button: pull the plug, which asks first.
    await page.getByRole('button', { name: 'Other ways to end it' }).click()
    await page.getByRole('menuitem', { name: /Power off/u }).click()
    await page.getByRole('dialog').getByRole('button', { name: /Power off/u }).click()
    await page.getByRole('status').getByText('Stopped').waitFor()
  })
})

/** What a graph looks like now. */
async function graphPixels(graph: Locator): Promise<Buffer> {
  return graph.locator('canvas').screenshot()
}
