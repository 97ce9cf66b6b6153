import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { accessibilityFaults } from './support/accessibility'
import { isFocused, tabTo } from './support/focus'
import { inWindow } from './support/window'

/** Axe takes its time, and so does a passphrase. */
const patienceMs = 300_000
const first = 'mountain river candle 7'
const second = 'another one, longer'

test('a machine with an encrypted disk is made, asks for its passphrase at each start, and gets another one, without a pointer', async () => {
  const faults: string[] = []
  await inWindow('encryption', {}, async ({ page, app }) => {
    const look = async (where: string): Promise<void> => { faults.push(...(await accessibilityFaults(page)).map((fault) => `${where}: ${fault}`)) }
    const state = (word: string): Promise<void> => page.getByRole('main').locator('header').getByText(word, { exact: true }).waitFor()

    await make(page, look)
    await state('Running')
    // What lies in its folder is a LUKS header within a qcow2, and nothing that opens it.
    const [folder = ''] = await readdir(join(app.folders.data, 'library'))
    const disk = await readFile(join(app.folders.data, 'library', folder, 'disks/disk0.qcow2'))
    expect(disk.readUInt32BE(32)).toBe(2)
    expect((await readFile(join(app.folders.data, 'library', folder, 'encryption.json'), 'utf8')).includes(first)).toBe(false)

    await switchOff(page)
    await state('Stopped')
    await page.getByRole('tab', { name: 'Overview' }).focus()
    await page.keyboard.press('Enter')
    await page.getByTestId('key-state').getByText('Locked').waitFor()
    await look('overview')

    // Off, it is locked: its next start asks.
    await page.keyboard.press('Control+Enter')
    const field = page.getByTestId('unlock-passphrase')
    await field.waitFor()
    await isFocused(field)
    await look('unlock')
    await page.keyboard.type('mountain')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').getByText('This is not the passphrase of “Vault”.').waitFor()
    await isFocused(field)
    await page.keyboard.type(first)
    await page.keyboard.press('Enter')
    await state('Running')
    await page.getByTestId('key-state').getByText('Unlocked').waitFor()

    // Another passphrase, while it runs.
    await tabTo(page, page.getByRole('button', { name: 'Change the passphrase…' }))
    await page.keyboard.press('Enter')
    await isFocused(page.getByTestId('current-passphrase'))
    await page.keyboard.type(first)
    await page.keyboard.press('Tab')
    await page.keyboard.type(second)
    await page.keyboard.press('Tab')
    await page.keyboard.type(second)
    await look('change of the passphrase')
    await page.keyboard.press('Enter')
    await page.getByText('“Vault” has another passphrase').waitFor()

    // Locked now, which leaves it running; then asked for again, with the new one.
    await tabTo(page, page.getByRole('button', { name: 'Lock now' }))
    await page.keyboard.press('Enter')
    await page.getByTestId('key-state').getByText('Locked').waitFor()
    await state('Running')
    await tabTo(page, page.getByRole('button', { name: 'Unlock…' }))
    await page.keyboard.press('Enter')
    await isFocused(field)
    await page.keyboard.type(first)
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').getByText('This is not the passphrase of “Vault”.').waitFor()
    await page.keyboard.type(second)
    await page.keyboard.press('Enter')
    await page.getByTestId('key-state').getByText('Unlocked').waitFor()
    await switchOff(page)
    await state('Stopped')
  })
  expect(faults).toEqual([])
}, patienceMs)

/** Goes through the wizard with keys. */
async function make(page: Page, look: (where: string) => Promise<void>): Promise<void> {
  const next = async (): Promise<void> => {
    await page.getByTestId('wizard-next').focus()
    await page.keyboard.press('Enter')
  }
  await tabTo(page, page.getByRole('main').getByRole('button', { name: /New machine/u }))
  await page.keyboard.press('Enter')
  await page.getByTestId('source-blank').focus()
  await page.keyboard.press('Space')
  await next()
  await page.getByTestId('wizard-os-search').fill('any other 64')
  await page.getByTestId('os-other').focus()
  await page.keyboard.press('Space')
  await next()
  await page.getByTestId('wizard-encrypt').focus()
  await page.keyboard.press('Space')
  await tabTo(page, page.getByTestId('wizard-passphrase'))
  await page.keyboard.type(first)
  await page.keyboard.press('Tab')
  await page.keyboard.type('mountain river candle 8')
  await page.getByText('This is not the same.').waitFor()
  await page.keyboard.press('Control+a')
  await page.keyboard.type(first)
  await page.getByText('Only Ringside’s window has the operating system’s keychain at hand').waitFor()
  await look('wizard: encryption')
  // Enter in a field goes on, as in any form.
  await page.keyboard.press('Enter')
  await page.getByTestId('wizard-name').fill('Vault')
  await page.getByTestId('wizard-create').focus()
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/console/u)
}

async function switchOff(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Other ways to end it' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('menu').waitFor()
  await page.keyboard.press('End')
  await isFocused(page.getByRole('menuitem', { name: 'Power off' }))
  await page.keyboard.press('Enter')
  const question = page.getByRole('dialog')
  await tabTo(page, question.getByRole('button', { name: 'Power off' }))
  await page.keyboard.press('Enter')
}
