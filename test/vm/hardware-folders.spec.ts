import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { askVirtiofs } from '@core/engine/qemu/virtiofs'
import { filesOf, launchPlan, probedQemu, TestMachine } from './support/engine-plan'
import { fullGuest } from './support/full-guest'
import type { LinuxGuest } from './support/guests'
import { guestReady } from './support/initrd'
import { SerialSession } from './support/serial-session'
import { TemporaryFolder } from './support/temporary-folder'

let folder: TemporaryFolder
let guest: LinuxGuest
beforeAll(async () => {
  folder = await TemporaryFolder.make('rs-folders-')
  guest = await fullGuest()
}, 300_000)
afterAll(() => folder[Symbol.asyncDispose]())

const never = new AbortController().signal

/** Numbers of the processes that serve folders below this one. */
function daemons(): number[] {
  return readdirSync('/proc').map(Number).filter((pid) => {
    try {
      return Number.isInteger(pid) && readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').startsWith('/') && readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').includes(`--socket-path=${folder.path}`)
    } catch {
      return false
    }
  })
}

const library = (): string => join(folder.path, 'library')

async function shared(name: string): Promise<string> {
  const path = join(folder.path, name)
  await mkdir(path)
  await writeFile(join(path, 'song.txt'), `from ${name}\n`)
  return path
}

test('folders are shared through virtiofs and by 9p, to read or to write, and outlive whoever started the machine', async (context) => {
  const { virtiofsd, obstacle } = await askVirtiofs((await probedQemu()).systemPath)
  if (virtiofsd === null) context.skip(`no virtiofs here: ${obstacle}`)
  const plan = await launchPlan(library(), {
    boot: { kernel: { kernel: { kind: 'external', path: guest.kernel }, initrd: { kind: 'external', path: guest.initrd }, commandLine: guest.commandLine } }, memoryMiB: 256,
    sharedFolders: [
      { id: 'fast', tag: 'fast', path: await shared('fast, "with" commas'.replaceAll(',', virtiofsd?.dialect === 'c' ? '' : ',')), readOnly: false, driver: 'virtiofs' },
      { id: 'kept', tag: 'kept', path: await shared('kept'), readOnly: true, driver: 'auto' },
      { id: 'plain', tag: 'plain', path: await shared('plain'), readOnly: false },
    ],
  })
  const [fast = '', kept = '', plain = ''] = plan.definition.sharedFolders.map(({ path }) => path)
  const started = await TestMachine.start(plan)
  expect(daemons().length).toBeGreaterThan(0)
  const { machine } = started
  using serial = new SerialSession(await machine.openSerial(0))
  await serial.waitFor(guestReady)
  await serial.run('mkdir -p /fast /kept /plain')
  expect(await serial.run('mount -t virtiofs fast /fast && cat /fast/song.txt')).toContain('from fast')
  const way = virtiofsd?.readOnly === true ? '-t virtiofs' : '-t 9p -o trans=virtio,version=9p2000.L'
  expect(await serial.run(`mount ${way} kept /kept && cat /kept/song.txt`)).toContain('from kept')
  expect(await serial.run('mount -t 9p -o trans=virtio,version=9p2000.L plain /plain && cat /plain/song.txt')).toContain('from plain')
  await serial.run('echo one >/fast/answer.txt; echo two >/plain/answer.txt; ln -s ../plain/song.txt /fast/way-out')
  expect(await serial.run('echo three >/kept/answer.txt || rm /kept/song.txt || echo refused')).toMatch(/Read-only file system[\s\S]*refused/u)
  expect([await readFile(join(fast, 'answer.txt'), 'utf8'), await readFile(join(plain, 'answer.txt'), 'utf8')]).toEqual(['one\n', 'two\n'])
  expect(await readFile(join(kept, 'song.txt'), 'utf8')).toBe('from kept\n')

  // Memory is not kept with what another program knows of the guest; the guest goes on.
  expect(await machine.snapshotMemory()).toMatchObject({ method: 'none', reason: expect.stringContaining('virtiofs') as string })
  await expect(machine.save(filesOf(plan).savedRam, () => undefined, never)).rejects.toThrow(/can't be saved while it runs.*virtiofs/u)

  await machine.release()
  // The console’s stream goes on by itself.
  await using adopted = await TestMachine.adopt(plan)
  // The link leads nowhere on this side: the guest sees its own root.
  expect(await serial.run('echo four >>/fast/answer.txt; cat /fast/way-out /fast/answer.txt')).toMatch(/from plain\s+one\s+four/u)
  expect(await adopted.machine.snapshotMemory()).toMatchObject({ method: 'none' })
  await adopted.machine.powerOff()
  expect(daemons()).toEqual([])
})

test('the end of what serves a folder is told, and the machine goes on', async (context) => {
  if ((await askVirtiofs((await probedQemu()).systemPath)).virtiofsd === null) context.skip('no virtiofs here')
  const plan = await launchPlan(library(), { sharedFolders: [{ id: 'fast', tag: 'music', path: await shared('short-lived'), readOnly: false, driver: 'virtiofs' }] })
  await using run = await TestMachine.start(plan)
  const told = new Promise<string>((resolve) => { run.machine.onEvent((event) => { if (event.type === 'note') resolve(event.message) }) })
  for (const pid of daemons()) process.kill(pid, 'SIGKILL')
  expect(await told).toContain('“music” is out of the guest’s reach until it is removed and shared anew')
  expect(run.ended).toBeUndefined()
})

test('a folder in which the library lies is not shared for writing', async () => {
  const plan = await launchPlan(library(), { sharedFolders: [{ id: 'all', tag: 'all', path: folder.path, readOnly: false, driver: 'auto' }] })
  await expect(TestMachine.start(plan)).rejects.toThrow('Ringside’s library is in this folder')
  expect(daemons()).toEqual([])
})
