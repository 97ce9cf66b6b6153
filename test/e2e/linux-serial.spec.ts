import { expect, test } from 'vitest'
import { guestPrompt, guestReady } from '../vm/support/initrd'
import { linuxGuest } from '../vm/support/guests'
import { readableSerial, serialText } from './support/serial'
import { inWindow } from './support/window'

test('a Linux guest answers on its serial console, its load shows, and it shuts down when asked', async () => {
  const guest = await linuxGuest()
  await inWindow('linux-serial', { dark: true }, async ({ page }) => {
    await page.getByRole('main').getByRole('button', { name: /New machine/u }).click()
    await page.getByTestId('source-kernel').check()
    await page.getByTestId('wizard-kernel').fill(guest.kernel)
    await page.getByTestId('wizard-initrd').fill(guest.initrd)
    await page.getByTestId('wizard-command-line').fill(guest.commandLine)
    await page.getByTestId('wizard-next').click()
    // A kernel file is recognised as some Linux.
    await page.getByText('Linux, any other').first().waitFor()
    await page.getByTestId('wizard-next').click()
    await page.getByTestId('wizard-next').click()
    await page.getByTestId('wizard-name').fill('Ünïcode & "quotes", commas')
    await page.getByTestId('wizard-create').click()
    await page.waitForURL(/\/console/u)

    await page.getByRole('tab', { name: 'Serial' }).click()
    await readableSerial(page)
    await serialText(page, guestReady, 120_000)
    await serialText(page, guestPrompt)
    await page.getByTestId('serial-stage').click()
    await page.keyboard.type('echo $((6 * 7))-answers')
    await page.keyboard.press('Enter')
    await serialText(page, '42-answers')

    // Scrollback survives a reopen of the window.
    await page.reload()
    await serialText(page, '42-answers')

    // A busy loop raises the graph.
    await page.getByTestId('serial-stage').click()
    await page.keyboard.type('while true; do :; done')
    await page.keyboard.press('Enter')
    await page.getByRole('tab', { name: 'Overview' }).click()
    const cpu = page.getByRole('region', { name: 'CPU', exact: true })
    await expect.poll(async () => percentage(await cpu.innerText()), { timeout: 60_000 }).toBeGreaterThan(30)

    await page.getByRole('button', { name: 'Shut down', exact: true }).click()
    await page.getByRole('status').getByText('Stopped').waitFor({ timeout: 60_000 })
  })
})

function percentage(text: string): number {
  return Number(/([\d.]+) %/u.exec(text)?.[1] ?? Number.NaN)
}
