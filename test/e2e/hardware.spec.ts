import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { inWindow } from './support/window'

const node = (page: Page, name: RegExp) => page.getByRole('treeitem', { name })

/** What the machine is told to QEMU as, on one line. */
async function commandLine(page: Page): Promise<string> {
  await page.getByTestId('hardware-view-command').click()
  const text = await page.getByTestId('hardware-argv').innerText()
  await page.getByTestId('hardware-view-devices').click()
  return text.replaceAll(/\s+/gu, ' ')
}

async function apply(page: Page): Promise<void> {
  await page.getByTestId('apply').click()
  await page.getByTestId('change-bar').getByText('Nothing to apply').waitFor()
}

test('a machine is given a disk, a card and memory while it is off; while it runs a disc is put in, and what must wait is shown and taken back', async () => {
  await inWindow('hardware', {}, async ({ page, app }) => {
    await page.getByRole('button', { name: /Try the sample machine/u }).click()
    await page.waitForURL(/\/console/u)
    await page.locator('[data-testid="screen-stage"][data-link="connected"]').waitFor()
    await page.getByRole('button', { name: 'Other ways to end it' }).click()
    await page.getByRole('menuitem', { name: 'Power off' }).click()
    await page.getByRole('heading', { name: 'The machine is off' }).waitFor()
    await page.getByRole('tab', { name: 'Hardware' }).click()

    // What another system would like is shown before, taken over as one edit, and taken back as one.
    await page.getByTestId('preset-open').click()
    await page.getByTestId('preset-os').click()
    await page.keyboard.type('Windows 10')
    await page.getByRole('option', { name: 'Windows 10' }).click()
    await page.getByTestId('preset').getByText('Windows takes the hardware clock for local time.').waitFor()
    await page.getByTestId('preset').getByRole('button', { name: /^Take over \d/u }).click()
    await page.getByTestId('change-bar').getByText(/^\d+ changes$/u).waitFor()
    await page.keyboard.press('Control+z')
    await page.getByTestId('change-bar').getByText('Nothing to apply').waitFor()

    // As text: what may be written is offered while it is typed, what is written is explained, and it is an edit like any other.
    await page.getByTestId('hardware-view-text').click()
    await page.getByTestId('definition-area').getByText('"utc"').dblclick()
    await page.keyboard.type('loc')
    // A choice that has only just come up is not taken by a key that was on its way.
    await page.getByRole('option', { name: /localtime/u }).click()
    await page.getByTestId('change-bar').getByText(/^1 change$/u).waitFor()
    await page.getByTestId('definition-about').getByText('Clock', { exact: true }).waitFor()
    await page.keyboard.type('x')
    await page.getByTestId('definition-text').getByText(/^Line \d+$/u).waitFor()
    await page.keyboard.press('Tab')
    expect(await page.getByTestId('definition-area').evaluate((area) => area === document.activeElement)).toBe(false)
    await page.getByTestId('undo').click()
    await page.getByTestId('change-bar').getByText('Nothing to apply').waitFor()
    await page.getByTestId('hardware-view-devices').click()

    // A disk by the dialog, and the tree goes to it.
    await page.getByTestId('add-device').click()
    await page.getByRole('menuitem', { name: 'Disk…' }).click()
    await page.getByTestId('disk-size').fill('2')
    await page.getByRole('dialog').getByRole('button', { name: 'Add the disk' }).click()
    await node(page, /^Disk 2/u).and(page.locator('[aria-selected=true]')).waitFor()
    await page.getByTestId('device-pane').getByText(/^2 GiB/u).waitFor()

    // A card, a drive and more memory, applied together.
    for (const kind of ['Network card', 'CD drive']) {
      await page.getByTestId('add-device').click()
      await page.getByRole('menuitem', { name: kind }).click()
    }
    await node(page, /^Memory/u).click()
    await page.getByTestId('field-memoryMiB').fill('64')
    await page.getByText('3 changes').waitFor()
    await apply(page)
    const before = await commandLine(page)
    expect(before).toContain('-m size=64M')
    expect(before).toContain('"id":"net0"')
    expect(before).toContain('disk1')

    await page.getByRole('button', { name: 'Start', exact: true }).click()
    await page.getByText('Running', { exact: true }).first().waitFor()

    // A disc while it runs, through the tree.
    const image = join(app.folders.data, 'disc.iso')
    await writeFile(image, new Uint8Array(2 ** 20))
    await page.getByRole('button', { name: /^Insert a disc/u }).click()
    await page.getByTestId('file-dialog-list').getByRole('option').first().waitFor()
    await page.getByTestId('file-dialog-path').fill(app.folders.data)
    await page.keyboard.press('Enter')
    await page.getByRole('option', { name: /^disc\.iso/u }).dblclick()
    await node(page, /^CD drive.*disc\.iso/u).waitFor()
    expect(await page.getByTestId('pending-strip').count()).toBe(0)
    await page.getByRole('button', { name: /^Eject/u }).first().click()
    await page.getByRole('button', { name: /^Insert a disc/u }).waitFor()

    // What QEMU can't do live waits, with both values, until it is taken back.
    await node(page, /^Memory/u).click()
    await page.getByTestId('field-memoryMiB').fill('96')
    await page.getByText('1 change: at the next start').waitFor()
    await apply(page)
    await page.getByTestId('pending-memoryMiB').getByText('64 MiB').waitFor()
    await page.getByTestId('pending-memoryMiB').getByText('96 MiB').waitFor()
    // The next start gives QEMU something else than the one that was.
    await page.getByTestId('hardware-view-command').click()
    await page.getByTestId('argv-difference').click()
    await page.getByTestId('hardware-argv').getByText('size=96M').waitFor()
    expect((await page.getByTestId('hardware-argv').innerText()).replaceAll(/\s+/gu, ' ')).toMatch(/gone: -m size=64M .*new: -m size=96M/u)
    await page.getByTestId('hardware-view-devices').click()
    await page.getByTestId('pending-memoryMiB').getByRole('button').click()
    await page.getByTestId('pending-strip').waitFor({ state: 'hidden' })
    expect(await page.getByTestId('field-memoryMiB').inputValue()).toBe('64')
  })
})
