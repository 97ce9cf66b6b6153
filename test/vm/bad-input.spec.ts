import { execFile } from 'node:child_process'
import { link, mkdir, open, readFile, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ErrorShape } from '@shared/errors'
import { machineSchemaVersion, type MachineView } from '@shared/model'
import { buildCommandLine, ringside, Ringside, serveLibrary, type CommandLine, type Outcome } from './support/command-line'
import { processesNaming } from './support/processes'
import { SmallDrive } from './support/storage-host'
import { TemporaryFolder, temporaryLibrary, type TemporaryLibrary } from './support/temporary-folder'

/*
 * Bad input as a person meets it: the real command line, and the very words that it answers. Each message names what is wrong, where, and
 * what to do; and the library is as it was.
 */

const run = promisify(execFile)
let programs: CommandLine
let library: TemporaryLibrary
let folder: TemporaryFolder

beforeAll(async () => {
  programs = await buildCommandLine()
})
afterAll(() => programs[Symbol.asyncDispose]())
beforeEach(async () => {
  library = await temporaryLibrary()
  folder = await TemporaryFolder.make()
})
afterEach(async () => {
  const left = [...(await processesNaming(library.runtime)), ...(await processesNaming(folder.path))]
  for (const { pid } of left) process.kill(pid, 'SIGKILL')
  await library[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
  expect(left).toEqual([])
})

const ask = (...args: string[]): Promise<Outcome & { json: unknown }> => ringside(programs, library, args)

/** The words of a refusal, which has to leave the library as it was. */
async function refused(...args: string[]): Promise<{ code: number | null; words: string }> {
  const before = await content()
  const { code, stdout, stderr } = await ask(...args)
  expect(stdout).toBe('')
  expect(await content()).toEqual(before)
  return { code, words: stderr }
}

async function content(): Promise<string[]> {
  return (await readdir(join(library.data, 'library'), { recursive: true }).catch(() => [])).filter((name) => !name.includes('logs')).sort()
}

async function errorOf(...args: string[]): Promise<ErrorShape> {
  const { stderr } = await ask(...args, '--json')
  return (JSON.parse(stderr) as { error: ErrorShape }).error
}

async function qcow2(name: string, ...more: string[]): Promise<string> {
  const path = folder.in(name)
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', ...more, path, '16M'])
  return path
}

async function machine(name: string): Promise<MachineView> {
  return (await ask('info', name, '--json')).json as MachineView
}

describe('a file that is of no use', () => {
  test('is told by what it is, whichever option names it', async () => {
    const missing = folder.in('no such.iso')
    const directory = folder.in('folder.iso')
    await mkdir(directory)
    const empty = folder.in('empty.qcow2')
    await writeFile(empty, '')
    const text = folder.in('text.iso')
    await writeFile(text, 'hello\n')
    const pipe = folder.in('pipe.iso')
    await run('mkfifo', [pipe])
    const whole = await qcow2('whole.qcow2')
    const cut = folder.in('cut.qcow2')
    await writeFile(cut, (await readFile(whole)).subarray(0, 1000))

    const gone = `There is no such file: ${missing}. Check the path; the file may have been moved, renamed, or lie on a drive that is not connected.`
    const words: readonly [args: string[], code: string, message: string][] = [
      [['--iso', missing], 'FILE_NOT_FOUND', gone],
      [['--disk', missing], 'FILE_NOT_FOUND', gone],
      [['--kernel', missing], 'FILE_NOT_FOUND', gone],
      [['--iso', directory], 'NOT_A_FILE', `This is a folder, not a file: ${directory}. Choose a file in it.`],
      [['--disk', empty], 'FILE_EMPTY', `The file is empty, it has 0 bytes: ${empty}. Download or copy it again.`],
      [
        ['--disk', cut],
        'IMAGE_DAMAGED',
        `The qcow2 image is cut short: it has 1000 bytes, and its tables speak of at least 192 KiB: ${cut}. The download or copy was not finished; do it again.`,
      ],
      [
        ['--iso', text],
        'IMAGE_UNSUPPORTED',
        `This is no disc image, no ISO 9660 or UDF was found in it: ${text}. Choose an ISO file; if it is one, download it again.`,
      ],
      [['--iso', pipe], 'NOT_A_FILE', `This is no ordinary file but a device, pipe or socket: ${pipe}. Choose a file.`],
      [['--iso', '/dev/zero'], 'NOT_A_FILE', 'This is no ordinary file but a device, pipe or socket: /dev/zero. Choose a file.'],
    ]
    for (const [args, code, message] of words) {
      expect(await refused('create', 'x', ...args)).toEqual({ code: 5, words: `ringside: ${message}\n` })
      expect(await errorOf('create', 'x', ...args)).toMatchObject({ code, message })
    }
    expect(await refused('create', 'x', '--iso', '')).toMatchObject({ code: 2, words: expect.stringContaining('It is the path of a file.') as string })
  })

  test('is not printed with the codes in it that a terminal would obey', async () => {
    const hostile = await qcow2('hostile.qcow2', '-u', '-F', 'raw', '-b', 'a\u001b]0;owned\u0007b')
    const { words } = await refused('create', 'x', '--disk', hostile)
    expect(words).toContain(`needs ${folder.in('a\\x1b]0;owned\\x07b')}. A foreign image could read`)
  })
})

test('a name, an amount of memory or a machine that can’t be: said so', async () => {
  await ask('sample', 'Taken')
  const words: readonly [args: string[], message: string | RegExp][] = [
    [['create', 'taken', '--blank'], 'A machine named “taken” exists already; choose another name.'],
    [['create', '', '--blank'], 'Give the machine a name.'],
    [['create', 'n'.repeat(300), '--blank'], 'A name has at most 100 characters; this one has 300.'],
    [['create', '../x', '--blank'], 'A name has no slashes, backslashes or control characters; leave them out.'],
    [['create', 'a\nb', '--blank'], 'A name has no slashes, backslashes or control characters; leave them out.'],
    [['create', 'gpj\u202e.exe', '--blank'], 'A name has no slashes, backslashes or control characters; leave them out.'],
    [['create', '\u200b', '--blank'], 'A name has at least one character that can be seen.'],
    [['create', 'x', '--blank', '--memory', '900T'], 'A machine has at most 16 TiB of memory.'],
    [['create', 'x', '--blank', '--memory', '15T'], /^This computer has \d+ MiB of memory; 15728640 MiB is more than that\. Give the machine less\.$/u],
  ]
  for (const [args, message] of words) {
    const { code, words: said } = await refused(...args)
    expect(code).toBe(5)
    const first = said.replace(/^ringside: (?:2 fields need attention\.\n {2}\w+: )?/u, '').split('\n')[0]
    if (typeof message === 'string') expect(first).toBe(message)
    else expect(first).toMatch(message)
  }
  expect((await errorOf('create', 'taken', '--blank')).code).toBe('NAME_TAKEN')
})

test('names that shells and QEMU would take apart are names as others; what is to be typed next is quoted', async () => {
  const name = `🎉 "q", =x,process=y %n $(id) 'it'`
  const made = await ask('sample', name, '--start')
  expect(made).toMatchObject({ code: 0, stderr: expect.not.stringContaining('rror') as string })
  expect(made.stdout).toBe(`“${name}” is made and runs. Next: ringside console '🎉 "q", =x,process=y %n $(id) '\\''it'\\'''\n`)
  expect((await ask('stop', name, '--force')).code).toBe(0)
  const { id } = (await ask('create', '--blank', '--json', '--', '-x')).json as MachineView
  expect((await ask('create', '--blank', '--', '-y')).stdout).toMatch(/^“-y” is made\. Next: ringside start [0-9a-f]{8}\n$/u)
  expect((await ask('info', id.slice(0, 8))).code).toBe(0)
})

test('a disk is one machine’s, under any of its names; one that was changed since is told at the start', async () => {
  const disk = await qcow2('disk, "q" \n=x.qcow2')
  expect((await ask('create', 'a', '--disk', disk, '--disk-mode', 'inPlace', '--start')).code).toBe(0)
  expect((await ask('stop', 'a', '--force')).code).toBe(0)
  await link(disk, folder.in('hard'))
  await symlink(disk, folder.in('soft'))
  for (const name of ['hard', 'soft']) {
    expect((await refused('create', 'b', '--disk', folder.in(name), '--disk-mode', 'inPlace')).words).toBe(
      `ringside: The disk is in use by the machine “a”: ${folder.in(name)}. Copy it instead, or delete that machine first.\n`,
    )
  }
  const outside = await qcow2('outside.qcow2', '-F', 'raw', '-b', '/etc/passwd')
  const shown = disk.replace('\n', '\\n')
  const changes: readonly [(() => Promise<unknown>) | null, code: string, words: string][] = [
    [null, 'FILE_NOT_FOUND', `The disk “disk0” is missing: ${shown}\n  Put the file back, or take the device out of the machine.`],
    [() => mkdir(disk), 'NOT_A_FILE', `The disk “disk0” is a folder: ${shown}\n  Put the image itself back in its place.`],
    [() => writeFile(disk, ''), 'FILE_EMPTY', `The disk “disk0” is empty (0 bytes): ${shown}\n  Choose another file, or copy or download it again.`],
    [() => symlink(disk, disk), 'FILE_UNREADABLE', `Links lead in a circle: ${shown}\n  Choose the file itself.`],
    [() => run('mkfifo', [disk]), 'NOT_A_FILE', `The disk “disk0” is no regular file: ${shown}\n  Put the image itself back in its place.`],
    [() => rename(outside, disk), 'BACKING_FILE_OUTSIDE', `The image is based on a file outside the library: ${shown} needs /etc/passwd\n  A foreign image`],
  ]
  for (const [change, code, words] of changes) {
    await rm(disk, { recursive: true })
    await change?.()
    if (change === null) await Promise.all([rm(folder.in('hard')), rm(folder.in('soft'))])
    const { stderr } = await ask('start', 'a')
    expect(stderr.startsWith(`ringside: ${words}`), stderr).toBe(true)
    expect(await errorOf('start', 'a')).toMatchObject({ code })
    expect((await machine('a')).state).toBe('stopped')
    if (change === null) await mkdir(disk)
  }
})

test('a machine whose definition can’t be understood is named with the reason, and left as it is', async () => {
  const spoil = async (name: string, change: (text: string) => string): Promise<string> => {
    await ask('create', name, '--blank')
    const path = join((await machine(name)).folder, 'machine.json')
    await writeFile(path, change(await readFile(path, 'utf8')))
    return path
  }
  const paths = {
    'cut off': await spoil('cut off', (text) => text.slice(0, 20)),
    newer: await spoil('newer', (text) => text.replace(`"schemaVersion": ${String(machineSchemaVersion)}`, '"schemaVersion": 99')),
    climber: await spoil('climber', (text) => text.replace('"path": "disks/', '"path": "../../disks/')),
    device: await spoil('device', (text) => text.replace('"id": "disk0"', '"id": "x,file=/etc/passwd"')),
  }
  const before = await Promise.all(Object.values(paths).map((path) => readFile(path, 'utf8')))
  const words = {
    'cut off': `The machine's definition is damaged: it is no JSON (`,
    newer: `The machine's definition was written by a newer Ringside (ringside 0.1.0): it has format 99, and this one reads up to ${String(machineSchemaVersion)}: ${paths.newer}\n  Update Ringside. The file is left as it is.\n`,
    climber: `The machine's definition is damaged: disks.0.image.path: The path of an own image begins in the machine’s folder and does not lead out of it with “..”: ${paths.climber}\n  Repair the file or put a backup in its place. It is left as it is.\n`,
    device: `The machine's definition is damaged: disks.0.id: A device’s id has at most 31 lower-case letters, digits, dashes and underscores, and begins with a letter: ${paths.device}\n`,
  }
  const { stderr } = await ask('list')
  for (const [name, message] of Object.entries(words)) {
    expect(stderr).toContain(message)
    const start = await ask('start', name)
    expect(start.code).toBe(5)
    expect(start.stderr.startsWith(`ringside: “${name}” can't be opened. ${message}`), start.stderr).toBe(true)
  }
  expect(stderr.split('machine.json')).toHaveLength(5)
  expect(await Promise.all(Object.values(paths).map((path) => readFile(path, 'utf8')))).toEqual(before)
})

test('links and pipes in a machine’s folder lead nowhere, and nobody waits for them', async () => {
  await ask('sample', 'a')
  const { folder: home } = await machine('a')
  const victim = folder.in('victim')
  for (const name of ['serial0.log', 'qemu.log', 'machine.log']) {
    const path = join(home, 'logs', name)
    const words = (what: string): string => `ringside: A file of Ringside's own belongs here, and this is ${what}: ${path}\n  Move it away and try again.\n`
    await rm(path, { force: true })
    await symlink(victim, path)
    expect(await ask('start', 'a')).toMatchObject({ code: 5, stderr: words('a link') })
    await rm(path)
    await run('mkfifo', [path])
    expect(await ask('start', 'a')).toMatchObject({ code: 5, stderr: words('a pipe, socket or device') })
    expect(await ask('list')).toMatchObject({ code: 0, stderr: '' })
    if (name !== 'qemu.log') expect(await ask('log', 'a', '--of', name.replace('.log', ''))).toMatchObject({ code: 5, stderr: words('a pipe, socket or device') })
    await rm(path)
  }
  await run('mkfifo', [join(home, 'logs/last-run.json')])
  expect(await ask('list')).toMatchObject({ code: 0 })

  // In the place of saved state.
  const saved = join(home, 'saved')
  const noFolder = `ringside: Saved state belongs here, and this is no folder: ${saved}\n  Move it away and try again.\n`
  expect((await ask('start', 'a')).code).toBe(0)
  await writeFile(saved, 'x')
  expect(await ask('save', 'a')).toMatchObject({ code: 5, stderr: noFolder })
  expect((await machine('a')).state).toBe('running')
  await rm(saved)
  expect((await ask('save', 'a')).code).toBe(0)
  const elsewhere = folder.in('elsewhere')
  await rename(saved, elsewhere)
  await symlink(elsewhere, saved)
  expect(await ask('start', 'a')).toMatchObject({ code: 5, stderr: noFolder })
  expect(await ask('discard-saved', 'a')).toMatchObject({ code: 5, stderr: noFolder })
  expect((await readdir(elsewhere)).sort()).toEqual(['ram.state', 'saved.json'])
  await rm(saved)
  await rename(elsewhere, saved)
  await rm(join(saved, 'saved.json'))
  await run('mkfifo', [join(saved, 'saved.json')])
  expect(await ask('start', 'a')).toMatchObject({ code: 5, stderr: expect.stringContaining(`this is a pipe, socket or device: ${join(saved, 'saved.json')}`) as string })
  expect((await machine('a')).state).toBe('saved')
  expect((await ask('discard-saved', 'a')).code).toBe(0)
  expect(await stat(victim).catch(() => null)).toBeNull()
})

test('saved memory that was cut, emptied, exchanged or taken away is told, and kept for another try', async () => {
  await ask('sample', 'a', '--start')
  expect((await ask('save', 'a')).code).toBe(0)
  const { folder: home } = await machine('a')
  const ram = join(home, 'saved/ram.state')
  const whole = await readFile(ram)
  const damaged = "ringside: The saved state can't be loaded: it is damaged, or was made by another QEMU."
  const missing = `ringside: The saved memory of the machine is missing: ${ram}`
  const cases: readonly [change: () => Promise<unknown>, words: string][] = [
    [() => writeFile(ram, whole.subarray(0, 100_000)), damaged],
    [() => writeFile(ram, Buffer.alloc(whole.length, 0xa5)), damaged],
    [() => writeFile(ram, ''), missing],
    [() => rm(ram), missing],
  ]
  for (const [change, words] of cases) {
    await change()
    const { stderr } = await ask('start', 'a')
    expect(stderr.startsWith(words), stderr).toBe(true)
    expect(stderr).toContain('discard the saved state')
    expect((await machine('a')).state).toBe('saved')
  }
  await writeFile(ram, whole)
  expect((await ask('start', 'a')).code).toBe(0)
  expect((await machine('a')).state).toBe('running')
  expect((await ask('stop', 'a', '--force')).code).toBe(0)
})

test('a machine whose folder was moved away while a host has it open does not come back as an empty one', async () => {
  await ask('sample', 'a')
  const { folder: home } = await machine('a')
  const { server } = await serveLibrary(programs, library)
  await rename(home, folder.in('moved'))
  const gone = `ringside: The machine's folder is not there any more: ${home}\n  Put it back, or delete the machine from the list.\n`
  expect(await ask('start', 'a')).toMatchObject({ code: 5, stderr: gone })
  expect(await readdir(join(library.data, 'library'))).toEqual([])
  await rename(folder.in('moved'), home)
  expect((await ask('start', 'a')).code).toBe(0)
  await writeFile(join(home, 'machine.json'), '{')
  expect((await ask('rename', 'a', 'b')).stderr).toContain("The machine's definition is damaged: it is no JSON (")
  expect(await ask('stop', 'a', '--force')).toMatchObject({ code: 0 })
  expect(await readFile(join(home, 'machine.json'), 'utf8')).toBe('{')
  server.child.kill('SIGTERM')
  await server.ended
})

test('a token that is wrong opens nothing, and says how to get another', async () => {
  const { server, url } = await serveLibrary(programs, library)
  for (const body of ['{"token":"wrong"}', '{"token":""}', '{"tok', 'null']) {
    const answer = await fetch(`${url}session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    expect(answer.ok).toBe(false)
    expect(answer.headers.get('set-cookie')).toBeNull()
    expect(await answer.json()).toMatchObject({
      code: 'UNAUTHORIZED',
      message: 'This link is not valid, or it was used before.',
      data: { hint: 'Each link works once: `ringside link` prints a new one.' },
    })
  }
  server.child.kill('SIGTERM')
  await server.ended
})

test('a QEMU that is too old is told so wherever it is needed, with what it lacks', async () => {
  await ask('sample', 'a')
  const version = '{"qemu": {"micro": 0, "minor": 11, "major": 2}, "package": ""}'
  const answers = ['{}', version, '[]', '[]', '[]', '[]', '[]'].map((value, index) => `read -r line; echo '{"return": ${value}, "id": "r${String(index + 1)}"}'`)
  const old = folder.in('qemu-system-x86_64')
  const script = ['#!/bin/sh', 'case "$*" in *accel*help*) echo heading; echo tcg; exit 0;; esac', `echo '{"QMP": {"version": ${version}, "capabilities": []}}'`, ...answers]
  await writeFile(old, script.join('\n'), { mode: 0o755 })
  await writeFile(folder.in('qemu-img'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  const words = new RegExp(`^ringside: QEMU 2\\.11\\.0 is too old, it lacks the q35 machine, .* and 6 more things that Ringside needs: ${old}(?:\\.|\n ) Install QEMU 6\\.2 or later, or choose another QEMU in the settings\\.\n$`, 'u')
  for (const args of [['start', 'a'], ['create', 'x', '--blank'], ['sample', 'x']]) {
    const outcome = await ringside(programs, library, args, { RINGSIDE_QEMU: old })
    expect(outcome).toMatchObject({ code: 6, stderr: expect.stringMatching(words) as string })
  }
})

test('folders that can’t be are refused at once', async () => {
  const file = folder.in('file')
  await writeFile(file, '')
  const outcome = (data: string, runtime = library.runtime): Promise<Outcome> =>
    ringside(programs, library, ['list', '--data', data], { RINGSIDE_RUNTIME: runtime })
  for (const path of [file, join(file, 'a/b')]) {
    expect(await outcome(path)).toMatchObject({ code: 5, stderr: `ringside: A folder is needed here, and this is a file: ${file}\n  Choose another folder, or move the file away.\n` })
  }
  expect(await outcome(library.data, file)).toMatchObject({
    stderr: `ringside: The folder for running machines can't be made. A folder is needed here, and this is a file: ${file}\n  Set RINGSIDE_RUNTIME to a folder of yours that has a short path.\n`,
  })
  const long = folder.in('r'.repeat(100))
  expect((await outcome(library.data, long)).stderr).toMatch(
    /^ringside: The folder for running machines has a path of \d+ bytes, and local sockets in it allow \d+: .*\n {2}Set RINGSIDE_RUNTIME/u,
  )
  // Node's own way of making folders tries for ever here.
  if (process.platform === 'linux')
    expect(await outcome('/proc/ringside')).toMatchObject({ code: 5, stderr: 'ringside: No folder can be made here: /proc/ringside\n  Choose another place.\n' })
  expect(await outcome(folder.in('new/deep/er'))).toMatchObject({ code: 0, stderr: '' })
})

test('on a drive that is full the library opens, machines run, and deleting one makes room', async ({ skip }) => {
  const drive = await SmallDrive.mount(folder.in('drive'), 4)
  if (typeof drive === 'string') return skip(drive)
  await using mounted = drive
  const data = join(mounted.path, 'data')
  const on = (...args: string[]): Promise<Outcome> => ringside(programs, library, [...args, '--data', data])
  expect((await on('sample', 'one')).code).toBe(0)
  await writeFile(join(mounted.path, 'filler'), Buffer.alloc(8 * 2 ** 20)).catch(() => undefined)
  expect(await mounted.freeBytes()).toBe(0)

  expect(await on('rename', 'one', 'two')).toMatchObject({ code: 1, stderr: expect.stringMatching(/^ringside: No space is left on the drive: .*machine\.json\n {2}Free some space/u) as string })
  expect(await on('sample', 'two')).toMatchObject({ code: 1, stderr: expect.stringContaining('No space is left on the drive') as string })
  expect(await on('start', 'one')).toMatchObject({ code: 0 })
  expect(await on('save', 'one')).toMatchObject({ code: 1, stderr: expect.stringContaining('Free some space, then try again. The machine was left as it was.') as string })
  expect((await on('info', 'one')).stdout).toMatch(/State +running/u)
  expect(await on('stop', 'one', '--force')).toMatchObject({ code: 0 })
  expect(await on('delete', 'one', '--yes', '--permanently')).toMatchObject({ code: 0 })
  expect(await readdir(join(data, 'library'))).toEqual([])
})

test('kill -9 of a conversion: the next command ends what still writes, and clears it away', async () => {
  const source = folder.in('source.raw')
  const file = await open(source, 'w')
  // Throttled by nothing but the drive; large enough to be met at work.
  const piece = Buffer.alloc(2 ** 20)
  for (let at = 0; at < 400; at += 1) await file.write(piece.fill(at % 251 + 1), 0, piece.length, at * piece.length)
  await file.close()
  const converting = new Ringside(programs.cli, ['create', 'x', '--disk', source, '--disk-format', 'raw', '--disk-mode', 'convert'], library)
  const mark = async (): Promise<string> => {
    const name = (await readdir(join(library.data, 'library'))).find((entry) => entry.startsWith('.new-')) ?? ''
    return readFile(join(library.data, 'library', name, '.ringside-temporary'), 'utf8')
  }
  await vi.waitFor(async () => { expect(await mark()).toContain('helper') }, { timeout: 20_000, interval: 5 })
  const { helper } = JSON.parse(await mark()) as { helper: { pid: number } }
  // Held, so that it can't be done before it is looked for.
  process.kill(helper.pid, 'SIGSTOP')
  converting.child.kill('SIGKILL')
  await converting.ended
  expect(await processesNaming(source)).toMatchObject([{ pid: helper.pid }])

  expect((await ask('list')).code).toBe(0)
  await vi.waitFor(async () => { expect(await processesNaming(source)).toEqual([]) })
  expect(await readdir(join(library.data, 'library'))).toEqual([])
  expect((await stat(source)).size).toBe(400 * 2 ** 20)
})
