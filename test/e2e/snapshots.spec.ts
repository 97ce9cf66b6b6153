import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { difference, lightShare, type Picture } from '../vm/support/screen'
import { lastKeyPicture, untilPicture } from './support/screen'
import { inWindow } from './support/window'

test('a snapshot is taken while the machine runs, gone back to, branched off and deleted, with pointer and keyboard', async () => {
  await inWindow('snapshots', {}, async ({ page }) => {
    const dialog = page.getByRole('dialog')
    const row = (name: RegExp) => page.getByRole('treeitem', { name })
    const tab = (name: string): Promise<void> => page.getByRole('tab', { name, exact: true }).click()

    await page.getByRole('button', { name: /Try the sample machine/u }).click()
    await page.waitForURL(/\/console/u)
    await page.getByTestId('screen-stage').locator('canvas').waitFor()
    const untouched = lastKeyPicture(await untilPicture(page, (picture) => lightShare(lastKeyPicture(picture)) > 0.02, 'the sample'))
    const atQ = await pressed(page, 'q', untouched)

    // The first one, by the invitation. Its name is selected, so that typing replaces it.
    await tab('Snapshots')
    await page.getByTestId('snapshots-empty').getByRole('button', { name: 'Take a snapshot…' }).click()
    await page.getByTestId('snapshot-memory').waitFor()
    expect(await page.getByTestId('snapshot-name').inputValue()).toBe('Snapshot 1')
    await page.getByTestId('snapshot-name').selectText()
    await page.keyboard.type('At Q')
    await page.getByTestId('snapshot-description').fill('The last key was q.')
    await dialog.getByRole('button', { name: 'Take snapshot' }).click()
    await row(/^At Q/u).waitFor({ timeout: 90_000 })
    await row(/^At Q.*Memory/u).waitFor()
    await settled(page)

    // The guest goes on, and something else is on its screen.
    await tab('Console')
    const atW = await pressed(page, 'w', atQ)
    expect(difference(atW, atQ)).toBeGreaterThan(0.01)

    // Back, from the keyboard: the tree has the arrows, Enter asks, and Enter on the harmless answer goes ahead.
    await tab('Snapshots')
    await row(/^Now/u).focus()
    await page.keyboard.press('Home')
    await page.keyboard.press('Enter')
    await dialog.getByText('Go on at that instant').waitFor()
    expect(await page.getByTestId('revert-name').inputValue()).toBe('Before reverting to At Q')
    await page.keyboard.press('Enter')
    await dialog.waitFor({ state: 'hidden' })
    await row(/^Before reverting to At Q/u).waitFor({ timeout: 90_000 })
    await settled(page)
    await tab('Console')
    await untilPicture(page, (picture) => difference(lastKeyPicture(picture), atQ) < 0.005, 'the key of that instant', 90_000)

    // The present that was kept is a branch beside the way that the machine took; it is renamed and found.
    await tab('Snapshots')
    await row(/^Before reverting/u).waitFor()
    expect(await page.getByRole('treeitem').evaluateAll((rows) => rows.map((each) => each.getAttribute('aria-level')))).toEqual(['1', '2', '2'])
    await row(/^Before reverting/u).focus()
    await page.keyboard.press('F2')
    await page.keyboard.type('At W')
    await page.keyboard.press('Enter')
    await row(/^At W/u).waitFor()
    await page.keyboard.press('Control+f')
    await page.keyboard.type('last key')
    await row(/^At W/u).waitFor({ state: 'hidden' })
    await row(/^At Q/u).click()
    await page.getByTestId('snapshot-details').getByText('The machine’s settings are as they were.').waitFor()
    await page.getByRole('button', { name: 'Clear the search' }).click()

    // A new machine from it, while the original runs.
    await row(/^At Q/u).click()
    await page.getByTestId('snapshot-details').getByRole('button', { name: 'Branch…' }).click()
    await page.getByTestId('clone-name').fill('Twin')
    await dialog.getByRole('button', { name: 'Branch', exact: true }).click()
    await page.getByRole('option', { name: /^Twin/u }).waitFor({ timeout: 60_000 })
    await row(/^At Q.*1 clone/u).waitFor()
    await settled(page)

    // What a clone stands on stays, and says so; the other goes.
    await row(/^At Q/u).focus()
    await page.keyboard.press('Delete')
    await dialog.getByText(/Twin/u).first().waitFor()
    expect(await dialog.getByRole('button', { name: 'Delete', exact: true }).getAttribute('aria-disabled')).toBe('true')
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'hidden' })
    await row(/^At W/u).focus()
    await page.keyboard.press('Delete')
    await dialog.getByText('Given back at once').waitFor()
    await dialog.getByRole('button', { name: 'Delete', exact: true }).click()
    await row(/^At W/u).waitFor({ state: 'hidden', timeout: 60_000 })
    await settled(page)

    // The branch is a machine of its own, and says what it comes from.
    await page.getByRole('option', { name: /^Twin/u }).click()
    await tab('Overview')
    await page.getByRole('region', { name: 'Key facts' }).getByRole('link', { name: 'Sample' }).waitFor()
    await page.getByRole('option', { name: /^Twin/u }).focus()
    await page.keyboard.press('Delete')
    await dialog.getByRole('button', { name: /Move to trash|Delete for good/u }).click()
    await page.getByRole('option', { name: /^Twin/u }).waitFor({ state: 'hidden' })

    // Nothing stands on it any more, so it may go; the machine runs on.
    await page.getByRole('option', { name: /^Sample/u }).click()
    await tab('Snapshots')
    await row(/^At Q/u).focus()
    await page.keyboard.press('Delete')
    await dialog.getByText('Given back at once').waitFor()
    await dialog.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByTestId('snapshots-empty').waitFor({ timeout: 60_000 })
    await settled(page)
    await tab('Console')
    await pressed(page, 'e', atQ)
  })
})

/** Presses a key in the console and waits until the sample tells of it. Resolves to what it tells then. */
async function pressed(page: Page, key: string, before: Picture): Promise<Picture> {
  await page.getByTestId('screen-stage').locator('canvas').click()
  await page.keyboard.press(key)
  return lastKeyPicture(await untilPicture(page, (picture) => difference(lastKeyPicture(picture), before) > 0.01, `the key ${key}`))
}

/** Until no work is under way with the machine that is shown. */
async function settled(page: Page): Promise<void> {
  await page.getByTestId('snapshot-task').waitFor({ state: 'hidden', timeout: 90_000 })
  await page.getByRole('main').locator('header').getByText('Running', { exact: true }).waitFor()
}
