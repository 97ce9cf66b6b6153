import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeForeignImage } from '../vm/support/foreign-images'
import { TemporaryFolder } from '../vm/support/temporary-folder'
import { accessibilityFaults } from './support/accessibility'
import { inWindow } from './support/window'

const theirs = 'ferry crossing 9'
const own = 'mountain river candle 7'

test('an image that was encrypted elsewhere is brought in, and becomes a machine, which is cloned with another passphrase; keys alone', async () => {
  await using elsewhere = await TemporaryFolder.make()
  const path = elsewhere.in('theirs.qcow2')
  await makeForeignImage(path, Buffer.concat([Buffer.alloc(510), Buffer.from([0x55, 0xaa]), Buffer.alloc(2 ** 20 - 512, 7)]), { format: 'qcow2', passphrase: theirs })
  const faults: string[] = []
  await inWindow('foreign-image', {}, async ({ page, app }) => {
    const look = async (where: string): Promise<void> => { faults.push(...(await accessibilityFaults(page)).map((fault) => `${where}: ${fault}`)) }
    const { keyboard } = page
    const dialog = page.getByRole('dialog')
    const isEncrypted = async (file: string): Promise<boolean> => (await readFile(file)).readUInt32BE(32) === 2
    const type = async (testid: string, text: string): Promise<void> => {
      await page.getByTestId(testid).focus()
      await keyboard.type(text)
    }

    await page.getByRole('link', { name: 'Storage' }).click()
    await page.getByText('No images yet').waitFor()
    await page.getByRole('button', { name: 'Bring in a file…' }).focus()
    await keyboard.press('Enter')
    await type('bring-in-file', path)
    await type('bring-in-passphrase', 'ferry crossing 8')
    await dialog.getByText('Up to').waitFor()
    await look('bring in')
    await keyboard.press('Enter')
    await dialog.getByText('This is not the passphrase of the image').waitFor()
    await page.getByTestId('bring-in-passphrase').selectText()
    await type('bring-in-passphrase', theirs)
    await keyboard.press('Enter')
    await dialog.waitFor({ state: 'hidden' })
    const image = page.getByTestId('storage-image').filter({ hasText: 'theirs.qcow2' })
    await image.waitFor({ timeout: 60_000 })
    const broughtIn = join(app.folders.data, 'images/theirs.qcow2')
    expect(await isEncrypted(broughtIn)).toBe(true)

    await keyboard.press('n')
    await type('wizard-file', broughtIn)
    await type('wizard-image-passphrase', theirs)
    await look('wizard: source')
    await keyboard.press('Enter')
    await page.getByTestId('wizard-os-search').fill('any other 64')
    await page.getByTestId('os-other').focus()
    await keyboard.press('Space')
    await page.getByTestId('wizard-next').focus()
    await keyboard.press('Enter')
    await type('wizard-passphrase', own)
    await type('wizard-again', own)
    await keyboard.press('Enter')
    await page.getByTestId('wizard-name').fill('Theirs')
    await page.getByTestId('wizard-create').focus()
    await keyboard.press('Enter')
    await page.waitForURL(/\/console/u)
    const [folder = ''] = await readdir(join(app.folders.data, 'library'))
    expect(await isEncrypted(join(app.folders.data, 'library', folder, 'disks/disk0.qcow2'))).toBe(true)

    await keyboard.press('Control+k')
    await keyboard.type('Clone')
    await page.getByRole('option', { name: /^Clone/u }).first().waitFor()
    await keyboard.press('Enter')
    await page.getByTestId('clone-encryption-new').focus()
    await keyboard.press('Space')
    await type('clone-passphrase', 'seven green apples')
    await type('clone-again', 'seven green apples')
    await look('clone')
    await keyboard.press('Enter')
    await dialog.waitFor({ state: 'hidden' })
    await page.getByRole('option', { name: /^Theirs.*Stopped/u }).waitFor({ timeout: 120_000 })
  })
  expect(faults).toEqual([])
}, 300_000)
