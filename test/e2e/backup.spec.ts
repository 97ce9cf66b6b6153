import { mkdir, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { accessibilityFaults } from './support/accessibility'
import { inWindow } from './support/window'

test('a running machine is backed up, then what changed, by itself every day; verified; and restored as a new machine, all by keyboard; its file is brought in as an image, and a disk moves', async () => {
  await inWindow('backup', {}, async ({ page, app }) => {
    const folder = resolve(app.folders.data, '..', 'backups')
    await mkdir(folder)
    const { keyboard } = page
    const dialog = page.getByRole('dialog')
    const press = async (name: string | RegExp, within: ReturnType<typeof page.locator> = page.locator('html')): Promise<void> => {
      await within.getByRole('button', { name }).first().focus()
      await keyboard.press('Enter')
    }
    const rows = page.getByTestId('backups').getByRole('listitem')
    /** Until nothing is at work with the machine any more and there are so many backups. */
    const settled = async (count: number): Promise<void> => {
      await expect.poll(() => rows.count(), { timeout: 90_000 }).toBe(count)
      await page.getByTestId('backup-task').waitFor({ state: 'hidden', timeout: 90_000 })
    }
    const more = async (item: string): Promise<void> => {
      await press(/^More about the backup/u, rows.first())
      await page.getByRole('menuitem', { name: item }).waitFor()
      await keyboard.type(item.slice(0, 1))
      await keyboard.press('Enter')
    }

    await page.getByRole('button', { name: /Try the sample machine/u }).click()
    await page.waitForURL(/\/console/u)
    await page.getByTestId('screen-stage').locator('canvas').waitFor()
    await page.getByRole('tab', { name: 'Overview', exact: true }).focus()
    await page.getByRole('tab', { name: 'Backups', exact: true }).focus()
    await keyboard.press('Enter')

    // The first one: where to is asked, once.
    await press('Set up backups…')
    await page.getByTestId('backup-folder').focus()
    await keyboard.type(join(folder, 'not there'))
    await keyboard.press('Enter')
    await dialog.getByText(/is not there/u).waitFor()
    await page.getByTestId('backup-folder').selectText()
    await keyboard.type(folder)
    await page.getByTestId('backup-on').focus()
    await keyboard.press('Space')
    expect(await accessibilityFaults(page)).toEqual([])
    await page.getByTestId('backup-daily').focus()
    await page.getByTestId('backup-daily').selectText()
    await keyboard.type('14')
    await keyboard.press('Enter')
    await dialog.waitFor({ state: 'hidden' })
    await settled(1)
    await rows.first().getByText('Full').waitFor()
    await page.getByText('Every day · keeps 14 days, 4 weeks').waitFor()

    // The guest goes on, and only what it changed is written.
    await press('Back up now')
    await settled(2)
    await rows.first().getByText('Changes only').waitFor()
    await page.getByRole('main').locator('header').getByText('Running', { exact: true }).waitFor()
    expect(await accessibilityFaults(page)).toEqual([])

    await rows.first().getByText('Not verified').waitFor()
    await more('Verify')
    await rows.first().getByText('Verified', { exact: true }).waitFor({ timeout: 90_000 })
    await settled(2)

    // Its own name is offered, and typing replaces it.
    await press(/^Restore the backup of/u, rows.first())
    await page.getByTestId('restore-name').waitFor()
    expect(await page.getByTestId('restore-name').inputValue()).toBe('Sample restored')
    expect(await accessibilityFaults(page)).toEqual([])
    await page.getByTestId('restore-name').selectText()
    await keyboard.type('Came back')
    await dialog.getByRole('checkbox', { name: 'Start it afterwards' }).focus()
    await keyboard.press('Space')
    await page.getByTestId('restore-name').focus()
    await keyboard.press('Enter')
    await dialog.waitFor({ state: 'hidden' })
    await page.getByRole('option', { name: /^Came back.*Running/u }).waitFor({ timeout: 90_000 })
    await settled(2)

    // The older one is deleted: the newer one takes over what it needs, and is whole then.
    await press(/^More about the backup/u, rows.last())
    await page.getByRole('menuitem', { name: 'Delete…' }).click()
    await dialog.getByText(/take over what they need/u).waitFor()
    await press('Delete', dialog)
    await settled(1)
    await rows.first().getByText('Full').waitFor()
    const [set = '', ...others] = (await readdir(folder)).filter((name) => !name.startsWith('.'))
    expect(others).toEqual([])

    // A file of a backup that stands alone is an image like any other: it is brought in on the storage page.
    const [backup = ''] = await readdir(join(folder, set))
    await page.getByRole('link', { name: 'Storage' }).click()
    await page.getByTestId('storage-search').waitFor()
    await press('Bring in a file…')
    await page.getByTestId('bring-in-file').focus()
    await keyboard.type(join(folder, set, backup, 'disk0.qcow2'))
    await page.getByTestId('bring-in-target').selectText()
    await keyboard.type(join(app.folders.data, 'images', 'Brought in.vdi'))
    await dialog.getByText('qcow2, by its first bytes').waitFor()
    await page.getByTestId('bring-in-format').click()
    await page.getByRole('option', { name: 'VDI' }).click()
    expect(await accessibilityFaults(page)).toEqual([])
    await page.getByTestId('bring-in-target').focus()
    await keyboard.press('Enter')
    await dialog.waitFor({ state: 'hidden' })
    await page.getByTestId('storage-image').filter({ hasText: 'Brought in.vdi' }).waitFor({ timeout: 60_000 })

    // The disk of a machine that runs moves to another folder.
    await page.getByTestId('storage-image').filter({ hasText: 'Came back' }).first().click()
    await press('Move…', page.getByTestId('storage-details'))
    await page.getByTestId('storage-folder').fill(folder)
    await dialog.getByText('What will happen').waitFor()
    expect(await accessibilityFaults(page)).toEqual([])
    await page.getByTestId('storage-folder').focus()
    await keyboard.press('Enter')
    await dialog.waitFor({ state: 'hidden' })
    await page.getByTestId('storage-image').filter({ hasText: folder }).waitFor({ timeout: 60_000 })
    await page.getByRole('option', { name: /^Came back.*Running/u }).waitFor()
  })
})
