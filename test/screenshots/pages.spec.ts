import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { wholeSurroundings } from '@core/engine/qemu/limits/limits.fixture'
import { hardwareProperties } from '@core/engine/qemu/limits'
import { createHostServer } from '@server/host-server'
import { openBrowser } from '../e2e/support/browser'
import { fakeCloneMachines } from '../fakes/fake-snapshot-data'
import { fakeBackupData } from '../fakes/fake-backup-data'
import { fakeIds, fakeMachines } from '../fakes/fake-data'
import { fakePassphrase } from '../fakes/fake-encryption'
import { createFakeHost, type FakeHost } from '../fakes/fake-host'
import { closedDevices, richMachine } from '../fakes/rich-machine'

/** To be looked at by whoever changes a page; nothing refers to them. */
const target = resolve(import.meta.dirname, '../../test-results/pages')
const webRoot = resolve(import.meta.dirname, '../../out/renderer')
const sizes = [[1280, 800], [1920, 1080]] as const

/** A host with a machine that has much of everything and another with an encrypted disk, on a computer that can do it all but, when it is `closed`, pass devices on. */
function richHost(computer: { closed: boolean }): FakeHost {
  const host = createFakeHost({ machines: [richMachine(), ...fakeMachines().slice(1), ...fakeCloneMachines()], encrypted: [fakeIds.crashed], backups: fakeBackupData(), keptCards: ['net2'] })
  const properties = (id: string): Promise<ReturnType<typeof hardwareProperties>> => Promise.resolve(hardwareProperties(host.machines.get(id).definition, wholeSurroundings))
  return { ...host, hardware: { ...host.hardware, properties }, devices: () => (computer.closed ? Promise.resolve(closedDevices) : host.devices()) }
}

interface Pictures {
  page: Page
  computer: { closed: boolean }
  go: (path: string) => Promise<void>
  take: (name: string) => Promise<void>
}

const machine = (id: string, tab: string): string => `#/machines/${id}/${tab}`
const device = async (page: Page, id: string): Promise<void> => {
  await page.locator(`[role=treeitem][data-id="${id}"]`).click()
  await page.getByTestId('device-pane').waitFor()
}
const close = async (page: Page): Promise<void> => {
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'hidden' })
}

async function hardware({ page, computer, go, take }: Pictures): Promise<void> {
  await go(machine(fakeIds.running, 'hardware'))
  for (const id of ['processors', 'memory', 'disks', 'disks.disk3', 'disks.disk5', 'disks.disk6', 'cdroms.cd0', 'firmware', 'tpm', 'nics.net1', 'display', 'usbDevices.usb1', 'pciDevices.pci0', 'sharedFolders.share0', 'sharedFolders.share2', 'watchdog']) {
    await device(page, id)
    await page.locator('[data-pane=properties] [aria-busy=true]').waitFor({ state: 'detached' })
    await take(`hardware-${id.replace('.', '-')}`)
  }
  computer.closed = true
  await go(machine(fakeIds.stopped, 'hardware'))
  await go(machine(fakeIds.running, 'hardware'))
  for (const id of ['usbDevices.usb1', 'pciDevices.pci0']) {
    await device(page, id)
    await take(`hardware-${id.replace('.', '-')}-closed`)
  }
  computer.closed = false
  await device(page, 'memory')
  await page.getByTestId('field-memoryMiB').fill('99999')
  await page.getByTestId('fault-summary').waitFor()
  await take('hardware-fault')
  await page.getByTestId('hardware-view-text').click()
  await page.locator('.cm-content').click()
  await page.keyboard.press('Control+Home')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('End')
  for (let step = 0; step < 3; step += 1) await page.keyboard.press('ArrowLeft')
  await page.keyboard.press('Control+Space')
  await page.locator('.cm-tooltip-autocomplete').waitFor()
  await take('hardware-text')
  await page.keyboard.press('Escape')
  await page.getByTestId('hardware-view-command').click()
  await page.getByTestId('hardware-argv').waitFor()
  await page.getByTestId('argv-difference').click()
  await take('hardware-command-difference')
  await page.getByTestId('hardware-view-devices').click()
  await page.getByTestId('discard').click()
  await go(machine(fakeIds.stopped, 'hardware'))
  await device(page, 'firmware')
  await take('hardware-firmware-off')
  await page.getByTestId('reset-nvram').click()
  await page.getByRole('alertdialog').or(page.getByRole('dialog')).first().waitFor()
  await take('hardware-reset-uefi')
  await close(page)
  await page.getByTestId('preset-open').click()
  await page.getByTestId('preset').waitFor()
  await take('hardware-preset')
  await close(page)
}

async function guest({ page, go, take }: Pictures): Promise<void> {
  await go(machine(fakeIds.running, 'overview'))
  await page.getByTestId('guest').getByText('Debian GNU/Linux').first().waitFor()
  await take('guest')
  await go(machine(fakeIds.headless, 'overview'))
  await page.getByTestId('guest').getByText('No guest agent answers').waitFor()
  await take('guest-silent')
  await go(machine(fakeIds.running, 'overview'))
  for (const [label, name] of [['Run a command…', 'run'], ['Copy a file in…', 'copy-in'], ['Copy a file out…', 'copy-out'], ['Set a password…', 'password']] as const) {
    await page.getByTestId('guest').getByRole('button', { name: label }).click()
    const dialog = page.getByRole('dialog')
    await dialog.waitFor()
    if (name === 'run') {
      await dialog.getByTestId('guest-command').fill('systemctl status --no-pager --full nginx php8.2-fpm postgresql@15-main | grep -E "Active|Main PID"')
      await page.keyboard.press('Enter')
      await dialog.getByText('It was not run').or(dialog.getByTestId('guest-output')).first().waitFor()
    }
    await take(`guest-${name}`)
    await close(page)
  }
  await page.getByRole('button', { name: 'More', exact: true }).click()
  await page.getByRole('menuitem', { name: 'In the guest' }).press('ArrowRight')
  await page.getByRole('menuitem', { name: 'Run a command…' }).waitFor()
  await take('guest-menu')
  await page.keyboard.press('Escape')
  await page.keyboard.press('Escape')
}

/** What waits: for the guest, for the next start, for the next shut down. */
async function waiting({ page, go, take }: Pictures): Promise<void> {
  const apply = async (): Promise<void> => {
    await page.getByTestId('apply').click()
    await page.getByTestId('change-bar').getByText('Nothing to apply').waitFor()
  }
  const dismiss = (): Promise<void> => page.getByRole('button', { name: 'Dismiss' }).click()
  await go(machine(fakeIds.running, 'hardware'))
  await device(page, 'cdroms.cd2')
  await page.getByTestId('force-cdroms.cd2.image').waitFor()
  await take('hardware-disc-locked')
  await page.getByTestId('force-cdroms.cd2.image').click()
  await page.getByRole('dialog').getByText('Take the disc out by force?').waitFor()
  await take('hardware-disc-force')
  await close(page)
  await device(page, 'nics.net2')
  await page.getByTestId('remove-device').click()
  await page.getByText('1 change: at once').waitFor()
  await page.getByTestId('review').click()
  await page.getByTestId('review-hardware').getByText('At once').first().waitFor()
  await take('hardware-review')
  await close(page)
  await apply()
  await device(page, 'nics.net2')
  await page.getByTestId('device-pane').getByText('The guest does not let go').waitFor()
  await take('hardware-unplug-waits')
  await dismiss()
  await device(page, 'disks.disk1')
  await page.getByTestId('remove-device').click()
  await page.getByTestId('remove-when').waitFor()
  await take('hardware-remove-disk')
  await close(page)
  await page.getByTestId('hardware-history-open').click()
  await page.getByTestId('hardware-history').waitFor()
  await take('hardware-history')
  await close(page)
  await go(machine(fakeIds.saved, 'hardware'))
  await device(page, 'memory')
  await page.getByTestId('field-memoryMiB').fill('4096')
  await page.getByText(/^1 change: after/u).waitFor()
  await take('hardware-saved-edit')
  await apply()
  await page.getByTestId('pending-memoryMiB').waitFor()
  await take('hardware-saved-waits')
  await dismiss()
}

async function storage({ page, go, take }: Pictures): Promise<void> {
  await go('#/storage')
  const image = (name: RegExp): Promise<void> => page.getByTestId('storage-image').filter({ hasText: name }).first().click()
  const work = async (label: string, name: string): Promise<void> => {
    await page.getByTestId('storage-details').getByRole('button', { name: label, exact: true }).click()
    await page.getByRole('dialog').getByText('What will happen').waitFor()
    await take(name)
    await close(page)
  }
  await page.getByTestId('storage-details').waitFor()
  await take('storage')
  await image(/debian-12-cloud/u)
  await work('Grow…', 'storage-grow')
  await work('Delete…', 'storage-delete')
  await image(/damaged/u)
  await take('storage-damaged')
  await image(/a-very-long-name/u)
  await work('Convert…', 'storage-convert')
  await page.getByRole('button', { name: 'Bring in a file…' }).click()
  await page.getByTestId('bring-in-file').fill('/home/ada/overlay.qcow2')
  await page.getByTestId('bring-in-accept').waitFor()
  await take('storage-bring-in')
  await close(page)
  await page.getByTestId('storage-search').fill('nothing like it')
  await page.getByText('Nothing is found').waitFor()
  await take('storage-nothing-found')
}

async function backups({ page, go, take }: Pictures): Promise<void> {
  await go(machine(fakeIds.headless, 'backups'))
  await page.getByTestId('backups-empty').waitFor()
  await take('backups-empty')
  await page.getByRole('button', { name: 'Set up backups…' }).click()
  await page.getByTestId('backup-on').click()
  await take('backups-settings')
  await close(page)
  await go(machine(fakeIds.stopped, 'backups'))
  await page.getByTestId('backups-away').waitFor()
  await take('backups-away')
  await go(machine(fakeIds.paused, 'backups'))
  await page.getByRole('button', { name: 'Back up now' }).first().click()
  await page.getByTestId('backup-failure').waitFor()
  await take('backups-full')
  await page.getByRole('alert').getByRole('button', { name: 'Dismiss' }).last().click()
  await go(machine(fakeIds.running, 'backups'))
  await page.getByTestId('backups').getByRole('listitem').nth(3).waitFor()
  await take('backups')
  await page.getByRole('button', { name: /^Restore the backup/u }).first().click()
  await page.getByTestId('restore-to-same').check()
  await take('backups-restore-running')
  await page.getByTestId('restore-keep').click()
  await take('backups-restore-in-place')
  await close(page)
}

async function encryption({ page, go, take }: Pictures): Promise<void> {
  await go(machine(fakeIds.crashed, 'overview'))
  const card = page.getByTestId('encryption')
  const dialog = page.getByRole('dialog')
  await card.getByRole('button', { name: 'Unlock…' }).click()
  await page.getByTestId('unlock-passphrase').fill('wrong')
  await page.keyboard.press('Enter')
  await dialog.getByText('This is not the passphrase').waitFor()
  await take('encryption-unlock')
  await close(page)
  await card.getByRole('button', { name: 'Change the passphrase…' }).click()
  await page.getByTestId('new-passphrase').fill('correct horse battery')
  await take('encryption-change-passphrase')
  await close(page)
  await card.getByRole('button', { name: 'Show the disk key…' }).click()
  await page.getByTestId('disk-key-passphrase').fill(fakePassphrase)
  await take('encryption-disk-key')
  await page.keyboard.press('Enter')
  await page.getByTestId('shown-key').waitFor()
  await take('encryption-disk-key-shown')
  await close(page)
  await take('encryption')
}

test.each([true, false])('the pages where there is much to show, and what is rare on them; dark: %s', async (dark) => {
  await rm(join(target, dark ? 'dark' : 'light'), { recursive: true, force: true })
  for (const [width, height] of sizes) {
    const folder = join(target, dark ? 'dark' : 'light', `${String(width)}x${String(height)}`)
    await mkdir(folder, { recursive: true })
    const computer = { closed: false }
    const host = richHost(computer)
    const server = createHostServer({ host, log: (error) => { console.error(error) }, webRoot, guard: 'session', bindAddress: '127.0.0.1', uploadFolder: join(tmpdir(), 'ringside-pages') })
    await new Promise<void>((listening) => { server.http.listen(0, '127.0.0.1', listening) })
    const address = server.http.address()
    await using browser = await openBrowser({ width, height, dark })
    const { page } = browser
    page.setDefaultTimeout(10_000)
    await page.goto(`http://127.0.0.1:${String(typeof address === 'object' ? address?.port : '')}/#token=${server.sessions.issueToken()}`)
    const wide: string[] = []
    const pictures: Pictures = {
      page, computer,
      go: async (path) => { await page.evaluate((hash) => { location.hash = hash }, path) },
      take: async (name) => {
        await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' })
        if (await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)) wide.push(name)
      },
    }
    await page.getByRole('option').first().waitFor()
    for (const part of [hardware, guest, waiting, storage, backups, encryption]) await part(pictures)
    await server.close()
    await host.close()
    expect(wide, 'pages that are wider than the window').toEqual([])
    expect(browser.errors).toEqual([])
  }
})
