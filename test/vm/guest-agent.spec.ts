import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { GuestCommand } from '@shared/model'
import { agentGuest, startAgent } from './support/agent-guest'
import { launchPlan, TestMachine } from './support/engine-plan'
import { guestPrompt } from './support/initrd'
import { SerialSession } from './support/serial-session'
import { TemporaryFolder } from './support/temporary-folder'

let folder: TemporaryFolder
let running: TestMachine
let shell: SerialSession

const never = new AbortController().signal
const still = (): void => undefined
const command = (program: string, ...words: string[]): GuestCommand => GuestCommand.parse({ program, arguments: words })
const text = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8')
const sum = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

beforeAll(async () => {
  folder = await TemporaryFolder.make('rs-agent-')
  const { kernel, initrd, commandLine } = await agentGuest(folder.path)
  const external = (path: string): { kind: 'external'; path: string } => ({ kind: 'external', path })
  running = await TestMachine.start(await launchPlan(folder.path, {
    memoryMiB: 256, display: { model: 'none' }, boot: { kernel: { kernel: external(kernel), initrd: external(initrd), commandLine } },
    nics: [{ id: 'nic0', model: 'virtio-net', macAddress: '52:54:00:12:34:56', backend: { type: 'user' } }],
  }))
  shell = new SerialSession(await running.machine.openSerial(0))
  await shell.waitFor(guestPrompt)
})
afterAll(async () => {
  shell[Symbol.dispose]()
  await running[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

test('a guest without an agent is told apart from one that is slow', async () => {
  await expect(running.machine.guest.info()).rejects.toMatchObject({ code: 'CAPABILITY_MISSING', message: expect.stringContaining('No guest agent answers') as string })
})

test('what Debian’s agent tells of its guest', async () => {
  await shell.run('hostname web-01; ip addr add 10.0.2.15/24 dev eth0 2>/dev/null; ip link set lo up')
  await shell.run(startAgent)
  const { guest } = running.machine
  const info = await vi.waitFor(() => guest.info(), { timeout: 30_000 })
  expect(info.agentVersion).toMatch(/^\d+\.\d+/u)
  expect(info.hostName).toBe('web-01')
  expect(info.os).toMatchObject({ architecture: 'x86_64', kernel: expect.stringMatching(/^\d+\.\d+/u) as string })
  expect(info.interfaces?.find(({ name }) => name === 'lo')?.addresses).toContainEqual({ address: '127.0.0.1', prefix: 8, family: 'ipv4' })
  expect(info.timeZone).toMatchObject({ offsetSeconds: 0 })
  expect(info.cannot).toEqual({})
})

test('a program runs with its arguments, input and variables as they are, and its streams and exit code come back', async () => {
  const { guest } = running.machine
  const echoed = await guest.run(command('/bin/echo', 'one two', '$HOME', '; reboot'), never)
  expect(echoed).toMatchObject({ exitCode: 0, signal: null, timedOut: false, stderrBase64: '' })
  expect(text(echoed.stdoutBase64)).toBe('one two $HOME ; reboot\n')
  const failed = await guest.run({ ...command('sh', '-c', 'cat; echo "$COLOUR" >&2; exit 42'), inputBase64: Buffer.from('in\0put').toString('base64'), environment: ['COLOUR=blue', 'PATH=/bin'] }, never)
  expect(failed).toMatchObject({ exitCode: 42 })
  expect([text(failed.stdoutBase64), text(failed.stderrBase64)]).toEqual(['in\0put', 'blue\n'])
  expect(await guest.run(command('sh', '-c', 'kill -TERM $$'), never)).toMatchObject({ exitCode: null, signal: 15 })
  const long = await guest.run({ ...command('sh', '-c', 'head -c 300000 /dev/zero'), outputLimitBytes: 1000 }, never)
  expect(long).toMatchObject({ stdoutTruncated: true, stderrTruncated: false })
  expect(Buffer.from(long.stdoutBase64, 'base64')).toHaveLength(1000)
  await expect(guest.run(command('/no/such'), never)).rejects.toMatchObject({ code: 'GUEST_FAILED', message: expect.stringContaining('No such file') as string })
})

test('a program that takes too long, or that nobody waits for any more, is killed', async () => {
  const { guest } = running.machine
  expect(await guest.run({ ...command('sleep', '1000'), timeoutMs: 300 }, never)).toMatchObject({ timedOut: true, exitCode: null, signal: 9 })
  const abort = new AbortController()
  const cancelled = guest.run(command('sleep', '2000'), abort.signal)
  await vi.waitFor(async () => { expect(await shell.run('pidof sleep || true')).not.toBe('') })
  abort.abort()
  await expect(cancelled).rejects.toMatchObject({ code: 'CANCELLED' })
  await vi.waitFor(async () => { expect(await shell.run('pidof sleep || true')).toBe('') })
})

test('a file goes in and comes out again as it was, and nothing is replaced unasked', async () => {
  const { guest } = running.machine
  const bytes = randomBytes(3 * 2 ** 20 + 12_345)
  const hostPath = folder.in('to-guest.bin')
  await writeFile(hostPath, bytes)
  const fractions: (number | null)[] = []
  await guest.copyIn({ hostPath, guestPath: '/tmp/it’s here.bin', overwrite: false }, (fraction) => fractions.push(fraction), never)
  expect(fractions.at(-1)).toBe(1)
  expect(await shell.run("sha256sum '/tmp/it’s here.bin' | cut -c1-64")).toBe(sum(bytes))
  const partialPath = folder.in('from-guest.part')
  await guest.copyOut({ guestPath: '/tmp/it’s here.bin', partialPath }, (fraction) => fractions.push(fraction), never)
  expect(sum(await readFile(partialPath))).toBe(sum(bytes))
  await expect(guest.copyIn({ hostPath, guestPath: '/tmp/it’s here.bin', overwrite: false }, still, never)).rejects.toMatchObject({ code: 'FILE_EXISTS' })
  await expect(guest.copyIn({ hostPath, guestPath: '/tmp', overwrite: true }, still, never)).rejects.toMatchObject({ code: 'NOT_A_FILE' })
  await expect(guest.copyIn({ hostPath, guestPath: '/no/folder/x', overwrite: false }, still, never)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  await writeFile(hostPath, 'other')
  await shell.run("cd /tmp; chown 12:34 it*; chmod 640 it*; touch 'it’s here.bin.0123abcd.part' 'it’s here.bin.of-mine.part'")
  expect(await guest.copyIn({ hostPath, guestPath: '/tmp/it’s here.bin', overwrite: true }, still, never)).toEqual([])
  expect(await shell.run("stat -c '%u:%g %a' 'it’s here.bin'")).toBe('12:34 640')
  expect((await shell.run('for file in it*; do echo "${file#*.}"; done; rm *.of-mine.part')).split('\n').map((name) => name.trim())).toEqual(['bin', 'bin.of-mine.part'])
  expect(await shell.run("cat '/tmp/it’s here.bin'")).toBe('other')
  await expect(guest.copyOut({ guestPath: '/tmp/none', partialPath: folder.in('none') }, still, never)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
  await expect(guest.copyOut({ guestPath: '/tmp/it’s here.bin', partialPath }, still, never)).rejects.toMatchObject({ code: 'FILE_EXISTS' })
  // It does not say how long it is.
  const version = folder.in('version')
  await guest.copyOut({ guestPath: '/proc/version', partialPath: version }, still, never)
  expect(await readFile(version, 'utf8')).toContain('Linux version')
  await expect(guest.copyOut({ guestPath: '/dev/zero', partialPath: folder.in('zero') }, (fraction) => { expect(fraction).toBeNull() }, AbortSignal.timeout(500))).rejects.toMatchObject({ code: 'CANCELLED' })
  expect((await readdir(folder.path)).filter((name) => name === 'zero' || name === 'none')).toEqual([])
  expect(await shell.run('ls /tmp')).not.toContain('part')
})

test('a copy that is cancelled leaves nothing on either side', async () => {
  const { guest } = running.machine
  const hostPath = folder.in('large.bin')
  await writeFile(hostPath, Buffer.alloc(4 * 2 ** 20, 7))
  const inward = new AbortController()
  await expect(guest.copyIn({ hostPath, guestPath: '/tmp/large.bin', overwrite: false }, () => { inward.abort() }, inward.signal)).rejects.toMatchObject({ code: 'CANCELLED' })
  expect(await shell.run('ls /tmp')).not.toContain('large')
  await shell.run('dd if=/dev/zero of=/tmp/out bs=1M count=4 2>/dev/null')
  const outward = new AbortController()
  const partialPath = folder.in('out.part')
  await expect(guest.copyOut({ guestPath: '/tmp/out', partialPath }, () => { outward.abort() }, outward.signal)).rejects.toMatchObject({ code: 'CANCELLED' })
  await expect(readFile(partialPath)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('who wants the agent for itself gets it between two commands of a copy, which then goes on', async () => {
  const { machine } = running
  const hostPath = folder.in('during.bin')
  const bytes = randomBytes(2 * 2 ** 20)
  await writeFile(hostPath, bytes)
  const begun = Promise.withResolvers<void>()
  const copy = machine.guest.copyIn({ hostPath, guestPath: '/tmp/during.bin', overwrite: false }, () => { begun.resolve() }, never)
  await begun.promise
  expect(await machine.freezeObstacle()).toBeNull()
  await copy
  expect(await shell.run('sha256sum /tmp/during.bin | cut -c1-64')).toBe(sum(bytes))
})

test('a password is set by a program of the guest, and its refusal is told without it', async () => {
  const refused = await running.machine.guest.setPassword('nobody-here', 'hunter2').then(() => null, (error: unknown) => error as Error)
  expect(refused).toMatchObject({ code: 'GUEST_FAILED' })
  expect(JSON.stringify([refused, refused?.message, refused?.stack])).not.toContain('hunter2')
})

test('an agent that is stopped is given up, and is back when it goes on', async () => {
  const { guest } = running.machine
  await shell.run('killall -STOP qemu-ga')
  await expect(guest.info()).rejects.toMatchObject({ code: expect.stringMatching(/TIMED_OUT|CAPABILITY_MISSING/u) as string })
  await shell.run('killall -CONT qemu-ga')
  expect((await guest.info()).hostName).toBe('web-01')
})

test('a paused guest is not asked', async () => {
  await running.machine.pause()
  await expect(running.machine.guest.info()).rejects.toMatchObject({ code: 'ILLEGAL_STATE' })
  await running.machine.resume()
})
