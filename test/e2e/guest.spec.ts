import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { createWebSocketStream } from 'ws'
import { findHost } from '@core/library'
import { connectLocally, openLocalSocket } from '@server/local-client'
import type { Job } from '@shared/model'
import { agentGuest, startAgent } from '../vm/support/agent-guest'
import { guestPrompt } from '../vm/support/initrd'
import { SerialSession } from '../vm/support/serial-session'
import { accessibilityFaults } from './support/accessibility'
import { inWindow } from './support/window'

/** Where to leave pictures of it, for who works on its looks. */
const pictures = process.env['RINGSIDE_PICTURES']

test('a guest tells of itself, runs a command and takes and gives a file, by keyboard and light and dark', async () => {
  await inWindow('guest', {}, async ({ page, app }) => {
    const faults: string[] = []
    const look = async (where: string): Promise<void> => {
      faults.push(...(await accessibilityFaults(page)).map((fault) => `${where}: ${fault}`))
      if (pictures === undefined) return
      for (const colorScheme of ['dark', 'light'] as const) {
        await page.emulateMedia({ colorScheme })
        await page.screenshot({ path: join(pictures, `${where}-${colorScheme}.png`) })
      }
    }
    const home = dirname(app.folders.data)
    const { kernel, initrd, commandLine } = await agentGuest(join(home, 'guest'))
    const host = await findHost(app.folders.data, app.folders.runtime)
    if (!host) throw new Error('The host does not answer.')
    const connection = await connectLocally(host.address)
    const { client } = connection
    const made = await client.machine.create({
      name: 'web-01', osId: 'debian-12', processors: 1, memoryMiB: 256, newDiskGiB: 1, network: 'user', hardware: {}, startWhenCreated: true, source: { type: 'kernel', kernel, initrd, commandLine },
    })
    const id = await machineOf(client.host.watch(), made)
    const { ticket } = await client.console.open({ id, channel: { type: 'serial', port: 0 } })
    const stream = createWebSocketStream(openLocalSocket(host.address, `/console?ticket=${ticket}`))
    const shell = new SerialSession(stream)
    await shell.waitFor(guestPrompt)

    await page.getByRole('option', { name: /web-01/u }).click()
    const card = page.getByTestId('guest')
    await card.getByText('sudo apt install qemu-guest-agent').waitFor()
    await look('guest-without-agent')
    await shell.run('hostname web-01; ifconfig eth0 10.0.2.15 2>/dev/null; ifconfig lo 127.0.0.1')
    await shell.run('await-device /dev/vda && mke2fs -q /dev/vda 2>/dev/null && mount -t ext2 /dev/vda /mnt; true')
    await shell.run(startAgent)
    await card.getByText('x86_64').waitFor()
    await look('guest-overview')

    const dialog = page.getByRole('dialog')
    const close = async (): Promise<void> => {
      await page.keyboard.press('Escape')
      await dialog.waitFor({ state: 'hidden' })
    }
    await card.getByRole('button', { name: 'Run a command…' }).focus()
    await page.keyboard.press('Enter')
    const command = page.getByTestId('guest-command')
    await page.locator('[data-testid=guest-command]:focus').waitFor()
    await command.fill('echo "a  b"; echo no >&2; exit 3')
    await command.press('Enter')
    await dialog.getByText('Ended with exit code 3.').waitFor({ timeout: 90_000 }).catch(async (cause: unknown) => { throw new Error(await dialog.innerText(), { cause }) })
    expect(await dialog.getByLabel('Output', { exact: true }).textContent()).toBe('a  b')
    expect(await dialog.getByLabel('Errors', { exact: true }).textContent()).toBe('no')
    await look('guest-run')
    await close()

    const source = join(home, 'note.txt')
    await writeFile(source, 'from outside')
    await card.getByRole('button', { name: 'Copy a file in…' }).press('Enter')
    await page.getByTestId('guest-copy-host').fill(source)
    await page.getByTestId('guest-copy-guest').fill('/tmp/')
    await look('guest-copy-in')
    await page.keyboard.press('Enter')
    await page.getByText('Copied to /tmp/note.txt in the guest.').first().waitFor()
    expect(await shell.run('cat /tmp/note.txt')).toBe('from outside')

    await card.getByRole('button', { name: 'Copy a file out…' }).press('Enter')
    await page.getByTestId('guest-copy-guest').fill('/tmp/note.txt')
    await page.getByTestId('guest-copy-host').fill(join(home, 'back.txt'))
    await look('guest-copy-out')
    await page.keyboard.press('Enter')
    await page.getByText(/^Copied to .*back\.txt\.$/u).first().waitFor()
    expect(await readFile(join(home, 'back.txt'), 'utf8')).toBe('from outside')

    await card.getByRole('button', { name: 'Set a password…' }).press('Enter')
    await page.getByTestId('guest-user').fill('nobody-here')
    await page.getByTestId('guest-new-password').fill('correct horse')
    await page.getByTestId('guest-password-again').fill('correct horse')
    await look('guest-password')
    await page.keyboard.press('Enter')
    await dialog.getByText('The password is as it was').waitFor()
    await close()

    expect(faults).toEqual([])
    shell[Symbol.dispose]()
    stream.destroy()
    await client.machine.powerOff({ id })
    connection.close()
  })
}, 400_000)

/** The machine that a creating job makes, once it has. */
async function machineOf(watching: Promise<AsyncIterable<{ type: string; job?: Job; jobs?: Job[] }>>, { id }: Job): Promise<string> {
  for await (const event of await watching) {
    const job = event.job?.id === id ? event.job : event.jobs?.find((one) => one.id === id)
    if (job === undefined || job.state === 'running') continue
    if (job.state !== 'succeeded' || job.machineId === null) throw new Error(job.error?.message ?? job.state)
    return job.machineId
  }
  throw new Error('The host went away.')
}
