import type { Locator, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { findHost } from '@core/library'
import { connectLocally } from '@server/local-client'
import { isFocused, tabTo } from './support/focus'
import { inWindow, type WindowTest } from './support/window'

/** Made without the window, as from a terminal: what is tested begins with its hardware. */
async function makeSample({ app }: WindowTest): Promise<void> {
  const host = await findHost(app.folders.data, app.folders.runtime)
  if (host === null) throw new Error('The host does not answer.')
  const connection = await connectLocally(host.address)
  await connection.client.machine.createSample({ startWhenCreated: false })
  connection.close()
}

/** Presses keys one after the other; after each the focus is somewhere where it can be seen. */
async function press(page: Page, ...keys: string[]): Promise<void> {
  for (const key of keys) {
    await page.keyboard.press(key)
    await expect.poll(() => page.evaluate(() => document.activeElement?.tagName), { message: `what has the focus after ${key}` }).not.toBe('BODY')
  }
}

const row = (page: Page, name: RegExp): Locator => page.getByRole('treeitem', { name })
const bar = (page: Page, words: string | RegExp): Promise<void> => page.getByTestId('change-bar').getByText(words).waitFor()
const dialog = (page: Page): Locator => page.getByRole('dialog')

async function addDevice(page: Page, kind: string): Promise<void> {
  await press(page, 'Insert')
  await isFocused(page.getByRole('menuitem').first())
  await tabTo(page, page.getByRole('menuitem', { name: kind }), 'ArrowDown')
  await press(page, 'Enter')
}

test('the hardware of a machine is searched, added to, edited, ordered, undone, reviewed, applied and taken out without a pointer', async () => {
  await inWindow('keyboard-hardware', {}, async (window) => {
    const { page } = window
    await makeSample(window)
    await row(page, /./u).or(page.getByRole('option', { name: /^Sample/u })).first().waitFor()
    await tabTo(page, page.getByRole('option', { name: /^Sample/u }))
    await press(page, ' ')
    await page.keyboard.press('Alt+4')
    await page.getByTestId('hardware-tree').waitFor()

    // Searched, from the search into the tree, and a card more.
    await press(page, 'Control+f')
    await page.keyboard.type('netw')
    await row(page, /^Network/u).waitFor()
    await press(page, 'ArrowDown')
    await isFocused(row(page, /^Network/u))
    await addDevice(page, 'Network card')
    await isFocused(row(page, /^Network card/u))
    await bar(page, /^1 change$/u)

    // Edited, undone and redone; typing goes to a part by its name.
    await press(page, 'Enter')
    await isFocused(page.locator('[data-testid^="field-nics."][data-testid$=".model"]'))
    await tabTo(page, page.getByRole('switch', { name: /Cable/u }))
    await press(page, ' ')
    await row(page, /cable pulled out/u).waitFor()
    await press(page, 'Control+z')
    await row(page, /cable pulled out/u).waitFor({ state: 'detached' })
    await press(page, 'Control+y')
    await row(page, /cable pulled out/u).waitFor()
    await press(page, 'Shift+F6')
    await page.keyboard.type('mem')
    await isFocused(row(page, /^Memory/u))
    await press(page, 'Enter')
    await tabTo(page, page.getByTestId('field-memoryMiB'))
    await page.keyboard.press('Control+a')
    await page.keyboard.type('99')
    await bar(page, /^2 changes$/u)

    // One of them is taken back, and the focus stays in its row.
    await tabTo(page, page.getByRole('button', { name: 'Take back the change of Memory' }))
    await press(page, 'Enter')
    await bar(page, /^1 change$/u)
    await isFocused(page.locator('[data-property="memoryMiB"] input').first())
    await press(page, 'Tab', 'Control+a')
    await page.keyboard.type('48')
    await bar(page, /^2 changes$/u)

    // A disk, by its dialog; then a drive, so that there is an order.
    await press(page, 'Shift+F6', 'Insert')
    await isFocused(page.getByRole('menuitem', { name: 'Disk…' }))
    await press(page, 'Enter')
    await tabTo(page, page.getByTestId('disk-size'))
    await press(page, 'Escape')
    await isFocused(row(page, /^Memory/u))
    await press(page, 'Insert', 'Enter')
    await tabTo(page, page.getByTestId('disk-size'))
    await page.keyboard.press('Control+a')
    await page.keyboard.type('2')
    await press(page, 'Enter')
    await isFocused(row(page, /^Disk 2/u))
    await addDevice(page, 'CD drive')
    await isFocused(row(page, /^CD drive(?!s)/u))
    await press(page, 'Home')
    await page.keyboard.type('firm')
    await isFocused(row(page, /^Firmware/u))
    await press(page, 'Enter')
    const order = page.getByTestId('boot-order').getByRole('listitem')
    const drive = page.getByRole('checkbox', { name: /^Start from CD drive/u }).last()
    await tabTo(page, drive)
    if (!(await drive.isChecked())) await press(page, ' ')
    await press(page, 'Alt+ArrowUp')
    await expect.poll(() => order.first().innerText()).toMatch(/CD drive/u)

    // Reviewed, left, reviewed again and applied.
    await press(page, 'F6')
    await isFocused(page.getByTestId('review'))
    await press(page, 'Enter')
    await isFocused(dialog(page).getByRole('button', { name: 'Apply' }))
    await press(page, 'Escape')
    await isFocused(page.getByTestId('review'))
    await press(page, 'Enter')
    await dialog(page).getByText('Memory', { exact: true }).waitFor()
    await isFocused(dialog(page).getByRole('button', { name: 'Apply' }))
    await press(page, 'Enter')
    await bar(page, 'Nothing to apply')

    // Earlier hardware is an edit like any other.
    await dialog(page).waitFor({ state: 'hidden' })
    await tabTo(page, page.getByTestId('hardware-history-open'), 'Shift+Tab')
    await press(page, 'Enter')
    await page.getByTestId('hardware-history').waitFor()
    await tabTo(page, dialog(page).getByRole('button', { name: 'Go back to this' }).first())
    await press(page, 'Enter')
    await isFocused(page.getByTestId('hardware-history-open'))
    await bar(page, /^\d+ changes$/u)
    await tabTo(page, page.getByTestId('discard'))
    await press(page, 'Enter')
    await bar(page, 'Nothing to apply')

    // What is taken out leaves the keyboard with its neighbour, then with its kind.
    await press(page, 'Control+f')
    await press(page, 'ArrowDown', 'Home')
    await page.keyboard.type('network card')
    await isFocused(row(page, /^Network card/u).first())
    await press(page, 'Delete')
    await isFocused(row(page, /^Network/u).first())
    await press(page, 'Control+s')
    await bar(page, 'Nothing to apply')

    // As text: F6 goes in, Tab leaves, and what can’t be read is taken back.
    await tabTo(page, page.getByTestId('hardware-view-text'), 'Shift+Tab')
    await press(page, 'Enter')
    await page.getByTestId('definition-area').waitFor()
    await press(page, 'F6')
    await isFocused(page.getByTestId('definition-area'))
    await press(page, 'Control+End')
    await page.keyboard.type('x')
    await page.getByTestId('definition-text').getByText(/^Line \d+$/u).waitFor()
    await press(page, 'Control+z')
    await page.getByTestId('definition-text').getByText(/^It can be read/u).waitFor()
    await press(page, 'Shift+F6')
    await isFocused(page.getByTestId('hardware-view-text'))

    // On the storage page the disk is found, its growing cancelled, and done.
    await press(page, 'Control+k')
    await page.keyboard.type('storage')
    await page.getByRole('option', { name: /Storage/u }).first().waitFor()
    await page.keyboard.press('Enter')
    await page.getByTestId('storage-details').waitFor()
    await press(page, 'Control+f')
    await page.keyboard.type('disk1')
    await press(page, 'ArrowDown')
    await isFocused(page.getByTestId('storage-image').first())
    await press(page, 'Enter')
    const grow = page.getByTestId('storage-details').getByRole('button', { name: 'Grow…' })
    await isFocused(grow)
    await press(page, 'Enter')
    await isFocused(page.getByTestId('storage-size'))
    await press(page, 'Escape')
    await isFocused(grow)
    await press(page, 'Enter')
    await isFocused(page.getByTestId('storage-size'))
    await page.keyboard.type('3')
    await tabTo(page, dialog(page).getByRole('button', { name: 'Grow', exact: true }).and(page.locator(':not([aria-disabled])')))
    await press(page, 'Enter')
    await page.getByTestId('storage-image').getByText('3 GiB').waitFor()
    await isFocused(grow)
  })
})
