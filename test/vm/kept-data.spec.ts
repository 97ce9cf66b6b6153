import { Duplex } from 'node:stream'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { MachineView } from '@shared/model'
import { Ringside, type Outcome } from './support/command-line'
import { linuxGuest } from './support/guests'
import { guestPowerButton, guestPrompt, guestReady } from './support/initrd'
import { SerialSession } from './support/serial-session'
import { useCommandLine } from './support/use-command-line'

/* A whole operating system keeps its data, through the product from end to end: nothing below the command line is replaced. */

const at = useCommandLine()
const run = (...args: string[]): Promise<Outcome & { json: unknown }> => at.run(...args, '--json')

/** Talks with the guest through `ringside console`, and leaves the console again. */
async function atConsole<Answer>(talk: (session: SerialSession) => Promise<Answer>): Promise<Answer> {
  const command = new Ringside(at.programs.cli, ['console', 'linux'], at.library)
  const terminal = Duplex.from({ readable: command.child.stdout, writable: command.child.stdin })
  // Its two halves close when the command ends, not in turn.
  terminal.on('error', () => undefined)
  using session = new SerialSession(terminal)
  try {
    return await talk(session)
  } finally {
    command.child.kill('SIGTERM')
    await command.ended
  }
}

let questions = 0

/** What the command prints. Each question has a mark of its own, as a console opens with its past. */
async function ask(session: SerialSession, command: string): Promise<string> {
  const mark = `answer-${String(++questions)}`
  session.sendLine(`echo ${mark}'='"$(${command})"';'`)
  return new RegExp(`${mark}=([^;]*);`).exec(await session.waitFor(new RegExp(`${mark}=[^;]*;`)))?.[1] ?? ''
}

test('a blank disk that a guest wrote to has the data after a stop and a start; saved to disk and restored, the guest counts on', async () => {
  const { kernel, initrd, commandLine } = await linuxGuest()
  const made = await run(
    ...['create', 'linux', '--kernel', kernel, '--initrd', initrd, '--append', commandLine],
    ...['--disk-size', '1G', '--memory', '256M', '--cpus', '1', '--network', 'none', '--accelerator', 'tcg', '--start'],
  )
  expect(made).toMatchObject({ code: 0, stderr: '', json: { state: 'running' } })
  const { folder } = made.json as MachineView

  await atConsole(async (session) => {
    await session.waitFor(guestReady)
    await session.waitFor(guestPrompt)
    expect(await ask(session, 'await-device /dev/vda; head -c 16 /dev/vda | tr -d "\\000"')).toBe('')
    await ask(session, 'echo kept by the disk | dd of=/dev/vda bs=4096 seek=1000 conv=sync,fsync')
  })
  expect(await run('stop', 'linux', '--timeout', '60')).toMatchObject({ code: 0, json: { state: 'stopped', crash: null } })
  // The disk of 1 GiB is as large as what is in it.
  expect((await stat(join(folder, 'disks/disk0.qcow2'))).blocks * 512).toBeLessThan(16 * 1024 * 1024)

  expect(await run('start', 'linux')).toMatchObject({ code: 0, json: { state: 'running' } })
  const before = await atConsole(async (session) => {
    await session.waitFor(guestPowerButton)
    await session.waitFor(guestReady)
    await session.waitFor(guestPrompt)
    expect(await ask(session, 'await-device /dev/vda; dd if=/dev/vda bs=4096 skip=1000 count=1 2>/dev/null | head -n 1')).toBe('kept by the disk')
    // Moved into place, so that nobody reads the file between its being emptied and written.
    session.sendLine('(count=0; while :; do count=$((count + 1)); echo $count >/run/next; mv /run/next /run/count; usleep 50000; done) &')
    session.sendLine('until [ -s /run/count ]; do usleep 20000; done')
    return Number(await ask(session, 'cat /run/count'))
  })
  expect(before).toBeGreaterThan(0)

  expect(await run('save', 'linux')).toMatchObject({ code: 0, json: { state: 'saved', run: null } })
  expect(await run('start', 'linux')).toMatchObject({ code: 0, json: { state: 'running', saved: null } })
  await atConsole(async (session) => {
    // Nobody has started it anew: the same loop counts in the same memory.
    const restored = Number(await ask(session, 'cat /run/count'))
    expect(restored).toBeGreaterThan(before)
    expect(restored).toBeLessThan(before + 5000)
    await session.waitFor(guestPrompt)
    expect(await ask(session, `until [ $(cat /run/count) -gt ${String(restored)} ]; do usleep 20000; done; echo on`)).toBe('on')
    expect(await ask(session, 'echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vda bs=4096 skip=1000 count=1 2>/dev/null | head -n 1')).toBe('kept by the disk')
  })
  expect(await run('stop', 'linux', '--timeout', '60')).toMatchObject({ code: 0, json: { state: 'stopped', crash: null } })
})
