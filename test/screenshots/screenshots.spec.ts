import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createWebSocketStream } from 'ws'
import { expect, test } from 'vitest'
import { findHost } from '@core/library'
import { connectLocally, openLocalSocket, type ContractClient } from '@server/local-client'
import type { CreateMachineRequest, Job, MachineView } from '@shared/model'
import { openBrowser } from '../e2e/support/browser'
import { makeFolders, removeFolders, startServer } from '../e2e/support/server'
import { linuxGuest } from '../vm/support/guests'
import { guestReady } from '../vm/support/initrd'
import { SerialSession } from '../vm/support/serial-session'

const target = resolve(import.meta.dirname, '../../docs/screenshots')

/** How long the graphs are let run, so that there is something to see. */
const graphSeconds = 75

test('the pictures of the README, from the program itself', async () => {
  await mkdir(target, { recursive: true })
  const guest = await linuxGuest()
  const folders = await makeFolders()
  try {
    await using app = await startServer(folders)
    const host = await findHost(folders.data, folders.runtime)
    if (!host) throw new Error('The host does not answer.')
    const connection = await connectLocally(host.address)
    const { client } = connection
    const linux = (name: string, more: Partial<CreateMachineRequest> = {}): Promise<MachineView> =>
      made(client, client.machine.create({
        name, osId: 'debian-12', processors: 1, memoryMiB: 512, newDiskGiB: 8, network: 'user', hardware: {}, startWhenCreated: true,
        source: { type: 'kernel', kernel: guest.kernel, initrd: guest.initrd, commandLine: guest.commandLine }, ...more,
      }))
    const sample = await made(client, client.machine.createSample({ startWhenCreated: true }))
    const web = await linux('web-01')
    await made(client, client.machine.create({
      name: 'fw-edge', osId: 'openbsd', processors: 1, memoryMiB: 1024, newDiskGiB: 20, network: 'user', hardware: {}, source: { type: 'network' },
    }))
    const paused = await made(client, client.machine.createSample({ name: 'build-agent', startWhenCreated: true }))
    await client.machine.pause({ id: paused.id })

    // Something to see: load that comes and goes, and writes.
    const { ticket } = await client.console.open({ id: web.id, channel: { type: 'serial', port: 0 } })
    const stream = createWebSocketStream(openLocalSocket(host.address, `/console?ticket=${ticket}`))
    const shell = new SerialSession(stream)
    await shell.waitFor(guestReady, 120_000)
    await shell.run('uname -a; cat /proc/meminfo | head -n 3')
    shell.sendLine('while true; do dd if=/dev/zero of=/dev/vda bs=64k count=$((RANDOM % 400 + 20)) oflag=direct 2>/dev/null; usleep $((RANDOM % 30 * 100000)); done')

    await using browser = await openBrowser({ width: 1280, height: 800, dark: true })
    const { page } = browser
    await page.goto(app.link)
    await page.getByRole('option', { name: /web-01/u }).click()
    const take = (name: string): Promise<unknown> => page.screenshot({ path: join(target, `${name}.png`) })
    const go = async (path: string): Promise<void> => {
      await page.evaluate((hash) => { location.hash = hash }, path)
    }
    await new Promise((passed) => setTimeout(passed, graphSeconds * 1000))
    await take('overview-dark')
    await go(`#/machines/${web.id}/console`)
    await page.getByRole('tab', { name: 'Serial' }).click()
    await page.getByText(/\d+ × \d+/u).last().waitFor()
    await new Promise((passed) => setTimeout(passed, 3000))
    await take('serial-dark')
    await go('#/computer')
    await page.getByRole('heading', { name: 'This computer' }).waitFor()
    await take('computer-dark')
    await go(`#/machines/${web.id}/hardware`)
    await page.getByRole('treeitem', { name: /^Memory/u }).click()
    await page.getByTestId('field-memoryMiB').fill('1024')
    await page.getByText('1 change: at the next start').waitFor()
    await page.getByTestId('apply').click()
    await page.getByTestId('pending-memoryMiB').waitFor()
    await page.getByRole('treeitem', { name: /^Network card/u }).click()
    await page.locator('[data-property$=".linkUp"] [role=switch]').click()
    await page.getByText('1 change: at once').waitFor()
    await page.getByRole('treeitem', { name: /^Memory/u }).click()
    const notice = page.getByRole('button', { name: 'Dismiss' })
    await notice.click()
    await notice.waitFor({ state: 'hidden' })
    await take('hardware-dark')
    await page.getByTestId('discard').click()

    await page.emulateMedia({ colorScheme: 'light' })
    await growTree(client, sample.id)
    await go(`#/machines/${sample.id}/snapshots`)
    await page.getByRole('treeitem', { name: /^Before the upgrade/u }).click()
    await page.getByTestId('snapshot-details').locator('img').waitFor()
    // The thumbnail of the present follows within seconds.
    await new Promise((passed) => setTimeout(passed, 4000))
    await take('snapshots-light')
    await go(`#/machines/${sample.id}/console`)
    await page.getByTestId('screen-stage').locator('canvas').waitFor()
    await page.getByText(/updates? a second/u).waitFor()
    await take('console-light')
    const backups = join(folders.data, '..', 'Backup')
    await mkdir(backups)
    const policy = { folder: backups, every: 'day' as const, keep: { hourly: 0, daily: 7, weekly: 4 }, compress: true, quiesce: true, verify: true }
    await client.backup.setPolicy({ id: sample.id, policy })
    for (let count = 0; count < 4; count += 1) await ended(client, client.backup.create({ id: sample.id, verify: count < 3 }))
    await go(`#/machines/${sample.id}/backups`)
    await page.getByTestId('backups').getByRole('listitem').nth(3).waitFor()
    await take('backups-light')
    await page.getByRole('button', { name: 'New', exact: true }).click()
    await page.getByTestId('source-blank').check()
    await page.getByTestId('wizard-next').click()
    await page.getByTestId('os-debian-13').check()
    await page.getByTestId('wizard-next').click()
    await page.getByText('Memory').first().waitFor()
    await take('wizard-light')

    shell[Symbol.dispose]()
    stream.destroy()
    for (const machine of await client.machine.list()) {
      if (machine.state === 'running' || machine.state === 'paused') await client.machine.powerOff({ id: machine.id })
    }
    connection.close()
    expect(browser.errors).toEqual([])
  } finally {
    await removeFolders(folders)
  }
})

/** A tree with branches: the sample goes on for some seconds between one snapshot and the next. */
async function growTree(client: ContractClient, id: string): Promise<void> {
  const goOn = (): Promise<unknown> => new Promise((passed) => setTimeout(passed, 4000))
  const take = async (name: string, description = '', memory = true): Promise<string> => {
    await ended(client, client.snapshot.take({ id, name, description, memory }))
    await goOn()
    return (await client.snapshot.tree({ id })).snapshots.find((snapshot) => snapshot.name === name)?.id ?? ''
  }
  const revert = async (snapshotId: string, keepPresent: string | null): Promise<void> => {
    await ended(client, client.snapshot.revert({ id, snapshotId, keepPresent }))
    await goOn()
  }
  const fresh = await take('Freshly installed', 'Nothing but the base system.')
  await take('First attempt')
  await take('First attempt, tuned', '', false)
  await revert(fresh, null)
  const configured = await take('Configured', 'Users, keys and the web server are in place.')
  await take('Before the upgrade', 'Back to here if anything goes wrong.')
  await revert(configured, 'After the upgrade')
  await take('With the new database')
}

/** The machine that a creating job makes, once it has. */
async function made(client: ContractClient, starting: Promise<Job>): Promise<MachineView> {
  const job = await ended(client, starting)
  if (job.machineId === null) throw new Error('The machine was not made.')
  return client.machine.get({ id: job.machineId })
}

/** The job once it has succeeded. */
async function ended(client: ContractClient, starting: Promise<Job>): Promise<Job> {
  const { id } = await starting
  for await (const event of await client.host.watch()) {
    const job = event.type === 'jobChanged' ? event.job : event.type === 'opened' ? event.jobs.find((one) => one.id === id) : undefined
    if (job?.id !== id || job.state === 'running') continue
    if (job.state !== 'succeeded') throw new Error(`${job.title}: ${job.error?.message ?? job.state}`)
    return job
  }
  throw new Error('The host went away.')
}
