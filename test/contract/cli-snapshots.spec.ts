import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { RingsideError } from '@shared/errors'
import type { SnapshotTree } from '@shared/model'
import { fakeIds } from '../fakes/fake-data'
import { fakeCloneIds, fakeSnapshotIds } from '../fakes/fake-snapshot-data'
import { startCli, type CliResult } from './cli-harness'
import { useCli } from './frames'

const { host, local, run } = useCli()
/** Answers the one question that a command asks of a person. */
const asked = (answer: string, ...args: string[]): Promise<CliResult> => {
  const started = startCli(local, args, { tty: true })
  started.stdin.write(`${answer}\n`)
  return started.done
}
const treeOf = async (name: string): Promise<SnapshotTree> => (await run('snapshot', 'list', name, '--json')).json as SnapshotTree
const names = async (name: string): Promise<string[]> => (await treeOf(name)).snapshots.map((snapshot) => snapshot.name)

const groups = {
  snapshot: ['list', 'plan', 'show', 'screen', 'take', 'revert', 'delete', 'rename', 'describe', 'auto', 'convert-disks', 'orphans', 'clean-up'],
  template: ['make', 'unmake'],
}

describe('usage', () => {
  test.each([
    ...Object.entries(groups).flatMap(([group, commands]) => commands.map((command) => [[group, command]])),
    [['snapshot', 'nonsense']], [['snapshot', 'take', 'web-01', 'a', 'b']], [['snapshot', 'revert', 'web-01']], [['snapshot', 'auto', 'web-01', '--every', 'minute']],
    [['snapshot', 'auto', 'web-01', '--keep-daily', '367']], [['snapshot', 'auto', 'web-01', '--keep-hourly', '-1']], [['snapshot', 'auto', 'web-01', '--off', '--memory']],
    [['clone', 'web-01']], [['clones']], [['detach']],
  ])('%j is wrong usage: 2, said on standard error', async (args) => {
    const result = await run(...args)
    expect(result).toMatchObject({ code: 2, stdout: '' })
    expect(result.stderr).toMatch(/^error: /u)
    expect((await run(...args, '--json')).error).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringMatching(/^[-A-Z].*[.)]$/u) as string })
  })

  test.each(Object.keys(groups))('%s alone shows what there is of it: 2', async (group) => {
    const result = await run(group)
    expect(result).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(`Usage: ringside ${group} `) as string })
    expect((await run('help', group)).code).toBe(0)
  })

  test('every command takes --json and --data, and shows an example', async () => {
    const commands = [...Object.entries(groups).flatMap(([group, all]) => all.map((command) => [group, command])), ['clone'], ['clones'], ['detach'], ['start']]
    for (const command of commands) {
      const { stdout, code } = await run(...command, '--help')
      expect(code).toBe(0)
      expect(stdout, command.join(' ')).toMatch(/--json[^]*--data <folder>[^]*\nExamples?:\n {2}ringside /u)
      expect(stdout).toContain(`  ringside ${command.join(' ')} `)
    }
  })
})

describe('naming a snapshot', () => {
  test.each([
    ['Configured', fakeSnapshotIds.configured], ['CONFIGURED', fakeSnapshotIds.configured], ['conf', fakeSnapshotIds.configured], [fakeSnapshotIds.upgrade, fakeSnapshotIds.upgrade],
    ['6b1f', fakeSnapshotIds.experimentTuned], ['experiment', fakeSnapshotIds.experiment], ['Experiment,', fakeSnapshotIds.experimentTuned],
  ])('%s', async (wanted, id) => {
    expect((await run('snapshot', 'show', 'web-01', wanted, '--json')).json).toMatchObject({ id, machineId: fakeIds.running, machineName: 'web-01' })
  })

  test('one that is not there is 3, with those that are', async () => {
    expect(await run('snapshot', 'show', 'web-01', 'nothing')).toMatchObject({ code: 3, stdout: '', stderr: expect.stringMatching(/^ringside: “web-01” has no snapshot “nothing”\.\n {2}There is “Installed” \(5a10c001\), /u) as string })
    expect(await run('snapshot', 'show', 'windows-11', 'x')).toMatchObject({ code: 3, stderr: 'ringside: “windows-11” has no snapshot “x”.\n  It has no snapshots at all yet: `ringside snapshot take` makes one.\n' })
    expect(await run('snapshot', 'show', 'build-agent', 'zzz')).toMatchObject({ code: 3, stderr: expect.stringMatching(/ and 42 more\.\n$/u) as string })
    expect(await run('snapshot', 'show', 'web-01', '')).toMatchObject({ code: 3 })
    expect(await run('snapshot', 'list', 'nobody')).toMatchObject({ code: 3, stderr: expect.stringContaining('There is no machine “nobody”.') as string })
  })

  test('a beginning that several have is 5, with which', async () => {
    expect(await run('snapshot', 'delete', 'web-01', 'exper', '--yes')).toMatchObject({ code: 5, stderr: expect.stringContaining('“exper” could be “Experiment” (6b0e9f31), “Experiment, tuned” (6b1f4c88).') as string })
    expect((await run('snapshot', 'show', 'web-01', '5a4', '--json')).error).toMatchObject({ code: 'INVALID_INPUT', data: { hint: 'Write more of the name, or use the id.', issues: [{ path: 'snapshot' }] } })
  })

  test('a damaged one says what is wrong with it', async () => {
    const { code, error } = await run('snapshot', 'revert', 'web-01', '7c00dead', '--yes', '--json')
    expect(code).toBe(5)
    expect(error).toMatchObject({ code: 'DEFINITION_DAMAGED', message: 'The snapshot “7c00dead” can’t be used. snapshot.json is no JSON: unexpected end at line 9.' })
  })
})

describe('looking', () => {
  test('the tree is drawn: branches, sizes, memory, clones, and where the machine is', async () => {
    const { stdout, stderr, code } = await run('snapshot', 'list', 'web-01')
    expect(code).toBe(0)
    const lines = stdout.trimEnd().split('\n').map((line) => line.replace(/ {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}/u, '  DATE  '))
    expect(lines[0]).toMatch(/^SNAPSHOT +TAKEN +MACHINE +MEMORY +SIZE +ID$/u)
    expect(lines.slice(1).map((line) => line.replace(/ {2,}/gu, ' | '))).toEqual([
      '○ Installed | DATE | stopped | - | 1.38 GiB | 5a10c001',
      '├─○ Base of staging | DATE | stopped | - | 384 KiB | 5a10c002 | for clones; read by staging',
      '○ Configured | DATE | running | 1.18 GiB | 1.49 GiB | 5a20d110 | file systems held still',
      '├─○ Experiment | DATE | running | - | 218 MiB | 6b0e9f31',
      '│ ○ Experiment, tuned | DATE | paused | 1.16 GiB | 1.23 GiB | 6b1f4c88',
      '○ Before the upgrade to Debian 13, with the database moved over to a second disk of its own | DATE | running | 1.36 GiB | 1.66 GiB | 5a31b7f0',
      '○ Automatic 2026-11-20 14:00 | DATE | running | - | 64.0 MiB | 5a42aa02',
      '○ Automatic 2026-11-20 15:00 | DATE | running | - | 31.0 MiB | 5a42aa01',
      '● now | running | 87.0 MiB',
    ])
    expect(stderr).toContain('340 MiB more are of deleted snapshots, shared by branches until one of those is left.\n')
    expect(stderr).toContain('snapshot.json is no JSON')
    expect(stderr).toContain('2 files belong to nothing (192 KiB): ringside snapshot orphans web-01\n')
    expect((await run('snapshot', 'tree', 'web-01')).stdout).toBe(stdout)
  })

  test('as JSON it is the tree as the host has it', async () => {
    expect((await run('snapshot', 'list', 'web-01', '--json')).json).toEqual({ ...(await host.snapshots.tree(fakeIds.running)), machineName: 'web-01' })
    expect((await treeOf('build-agent')).snapshots).toHaveLength(50)
  })

  test('long names are cut to the width of the terminal', async () => {
    const started = startCli(local, ['snapshot', 'list', 'web-01'], { tty: true })
    Object.assign(started.stdout, { columns: 120 })
    const { stdout } = await started.done
    expect(stdout).toMatch(/^○ Before the upgrade to Debian 13… {2}/mu)
    expect((await run('snapshot', 'list', 'build-agent')).stdout).toMatch(/^○ Automatic 2026-11-18 08:00 /mu)
  })

  test('a machine without snapshots says what to do', async () => {
    expect(await run('snapshot', 'list', 'windows-11')).toMatchObject({ code: 0, stderr: '', stdout: '“windows-11” has no snapshots yet. Next: ringside snapshot take windows-11\n' })
    expect((await run('snapshot', 'list', 'windows-11', '--json')).json).toMatchObject({ snapshots: [], current: { parentId: null } })
  })

  test.each([
    ['web-01', /^Keeps +disks and memory; the guest goes on meanwhile\.\n--quiesce +possible: the guest agent answers\nWrites +at most 2\.00 GiB\n$/u],
    ['build-agent', /^Keeps +disks and memory; the guest stands still meanwhile\. The guest stands still while/u],
    ['logger', /^Keeps +disks only\. Only the disks are kept: QEMU can’t save/u],
    ['router', /^Keeps +disks and memory\.\n--quiesce +not possible\. The machine is paused/u],
    ['windows-11', /^Keeps +disks only; the machine is off\.\n/u],
    ['imported', /\nDisk disk0 +It lies outside the machine's folder, where others may change it: \/srv\/images\/old-server\.img\. ringside snapshot convert-disks imported mends that\.\n$/u],
    ['golden', /\nNot now +Cannot take a snapshot of a template/u],
  ])('the plan of %s', async (machine, text) => {
    expect((await run('snapshot', 'plan', machine)).stdout).toMatch(text)
    expect((await run('snapshot', 'plan', machine, '--json')).json).toMatchObject({ machineName: machine, memory: { method: expect.any(String) as string }, obstacles: expect.any(Array) as unknown[] })
  })

  test('show has the details and what differs now', async () => {
    const { stdout } = await run('snapshot', 'show', 'web-01', 'Before')
    expect(stdout).toMatch(/^Name +Before the upgrade to Debian 13/u)
    expect(stdout).toMatch(/^Kept +disks and memory \(1\.36 GiB\); the guest stood still for 2\.8 s\nMemory +stream, QEMU 7\.2\.22, tcg\nNote +The guest stood still while/mu)
    expect(stdout).toMatch(/^After +Configured \(5a20d110\)$/mu)
    expect(stdout).toMatch(/^DIFFERS +THEN +NOW\nDisk disk1 +disks\/disk1\.qcow2 +-\n$/mu)
    expect((await run('snapshot', 'show', 'web-01', 'Configured')).stdout).toMatch(/\nThe machine’s hardware is the same now\.\n$/u)
    expect((await run('snapshot', 'show', 'web-01', 'Installed', '--json')).json).toMatchObject({ name: 'Installed', memory: null, differences: [{ label: 'Memory', then: '1024 MiB', now: '2048 MiB' }, { label: 'Processors' }] })
  })

  test('the screen is written as PNG; where there is none it is 3', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ringside-screen-'))
    const file = join(folder, 'screen.png')
    expect((await run('snapshot', 'screen', 'web-01', 'Configured', file, '--json')).json).toMatchObject({ machineName: 'web-01', name: 'Configured', path: file, width: 640, height: 400 })
    expect((await readFile(file)).equals((await host.snapshots.screen(fakeIds.running, fakeSnapshotIds.configured)) ?? Buffer.alloc(0))).toBe(true)
    expect(await run('snapshot', 'screen', 'web-01', 'Installed', file)).toMatchObject({ code: 3, stderr: 'ringside: The snapshot “Installed” has no picture: the machine’s screen was off.\n' })
    expect(await run('snapshot', 'screen', 'web-01', 'Configured', join(folder, 'no', 'such.png'))).toMatchObject({ code: 5 })
    await rm(folder, { recursive: true })
  })

  test('list and info show what a machine is beside its state', async () => {
    const { stdout } = await run('list')
    expect(stdout).toMatch(/^golden .* 88888888 {2}template$/mu)
    expect(stdout).toMatch(/^scratch .* cccccccc {2}disposable run$/mu)
    expect(stdout).toMatch(/^staging .* bbbbbbbb {2}linked clone of web-01$/mu)
    host.set(fakeIds.running, { task: 'snapshot' })
    expect((await run('list')).stdout).toMatch(/^web-01 .* 11111111 {2}a snapshot is being taken$/mu)
    expect((await run('info', 'web-01')).stdout).toMatch(/^Task +a snapshot is being taken\n[^]*^Snapshots +8\n/mu)
    expect((await run('info', 'golden')).stdout).toMatch(/^Template +yes: frozen for cloning$/mu)
    expect((await run('info', 'shop-02')).stdout).toMatch(/^Origin +linked clone: reads from the disks of “golden” \(88888888\)$/mu)
    expect((await run('info', 'scratch')).stdout).toMatch(/^Run +disposable: /mu)
    expect((await run('info', 'build-agent')).stdout).toMatch(/^Automatic +every hour, without memory; keeps one of each of the last 24 hours, /mu)
    expect((await run('info', 'build-agent', '--json')).json).toMatchObject({ snapshotCount: 50, definition: { snapshotPolicy: { every: 'hour' } }, task: null })
    host.snapshots.tree = () => Promise.reject(new RingsideError('FILE_UNREADABLE', 'The folder cannot be read.'))
    expect(await run('info', 'web-01')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Snapshots +unknown$/mu) as string })
    expect((await run('info', 'web-01', '--json')).json).toMatchObject({ snapshotCount: null })
  })
})

describe('taking', () => {
  test('says before and after which memory and why', async () => {
    expect(await run('snapshot', 'take', 'web-01', 'First')).toMatchObject({
      code: 0, stdout: '“First” is taken: disks and memory (1.20 GiB); the guest stood still for 4 ms.\n', stderr: 'Taking “First” of “web-01”: disks and memory; the guest goes on meanwhile.\n',
    })
    const reason = 'Only the disks are kept: QEMU can’t save this machine while its clipboard channel is in use.'
    expect(await run('snapshot', 'take', 'logger', 'First')).toMatchObject({
      code: 0, stdout: '“First” is taken: disks only; the guest stood still for 4 ms.\n', stderr: `Taking “First” of “logger”: disks only. ${reason}\n  ${reason}\n`,
    })
    expect(await run('snapshot', 'take', 'windows-11', 'First')).toMatchObject({ code: 0, stdout: '“First” is taken: disks only.\n', stderr: 'Taking “First” of “windows-11”: disks only; the machine is off.\n' })
    expect(await run('snapshot', 'take', 'build-agent', 'First', '--no-memory')).toMatchObject({ code: 0, stderr: expect.stringContaining('disks only, as asked.\n') as string })
  })

  test('as JSON it is the snapshot', async () => {
    const { json, stderr } = await run('snapshot', 'take', 'web-01', 'First', '--description', 'two\nlines', '--quiesce', '--json')
    expect(stderr).toBe('')
    expect(json).toMatchObject({ machineId: fakeIds.running, machineName: 'web-01', name: 'First', description: 'two\nlines', quiesced: true, method: 'live', kind: 'manual', parentId: fakeSnapshotIds.lastHour, clones: [] })
    expect((await treeOf('web-01')).current.parentId).toBe((json as { id: string }).id)
  })

  test('without a name it is called after the minute, and never as another', async () => {
    const first = (await run('snapshot', 'take', 'web-01', '--json')).json as { name: string }
    expect(first.name).toMatch(/^Snapshot \d{4}-\d\d-\d\d \d\d:\d\d$/u)
    const second = (await run('snapshot', 'take', 'web-01', '--json')).json as { name: string }
    expect(second.name).toMatch(/^Snapshot /u)
    expect(second.name).not.toBe(first.name)
  })

  test('what stands in the way is said, and nothing is taken', async () => {
    expect(await run('snapshot', 'take', 'web-01', 'CONFIGURED')).toMatchObject({ code: 5, stdout: '', stderr: expect.stringContaining('ringside: “web-01” has a snapshot named “CONFIGURED” already; choose another name.\n') as string })
    expect(await run('snapshot', 'take', 'web-01', '')).toMatchObject({ code: 5, stderr: 'ringside: Give the snapshot a name.\n' })
    expect(await run('snapshot', 'take', 'web-01', 'x'.repeat(101))).toMatchObject({ code: 5, stderr: 'ringside: A name has at most 100 characters; this one has 101.\n' })
    expect(await run('snapshot', 'take', 'imported', 'x')).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/^Taking .*\nringside: No snapshot can be taken of “imported” because of its disk “disk0”\. It lies outside [^\n]*\n {2}Bring it into the machine first; the original stays: ringside snapshot convert-disks imported\n$/u) as string,
    })
    expect(await run('snapshot', 'take', 'golden', 'x')).toMatchObject({ code: 4, stderr: 'ringside: Cannot take a snapshot of a template; turn it back into a machine first.\n' })
    expect(await run('snapshot', 'take', 'scratch', 'x')).toMatchObject({ code: 4, stderr: 'ringside: Cannot take a snapshot of this machine in a disposable run, whose changes are thrown away; shut it down first.\n' })
    host.set(fakeIds.running, { definition: { ...host.machines.get(fakeIds.running).definition, guestAgent: false } })
    expect((await run('snapshot', 'take', 'web-01', 'x', '--quiesce', '--json')).error).toMatchObject({ code: 'CAPABILITY_MISSING' })
    expect(await names('web-01')).toHaveLength(8)
  })

  test('progress is drawn where a person watches; Ctrl+C cancels: 130, and nothing was taken', async () => {
    expect((await startCli(local, ['snapshot', 'take', 'web-01', 'Seen'], { tty: true }).done).stderr).toMatch(/█+.* % {2}Writing memory/u)
    host.snapshots.take = (_id, _request, { signal }) => new Promise((_resolve, reject) => { signal.addEventListener('abort', () => { reject(signal.reason as Error) }) })
    const started = startCli(local, ['snapshot', 'take', 'web-01', 'Never', '--json'])
    await vi.waitFor(() => { expect(host.jobs.list().some(({ state }) => state === 'running')).toBe(true); expect(host.listeners().jobs).toBe(1) })
    started.interrupt()
    expect(await started.done).toMatchObject({ code: 130, stdout: '', error: { code: 'CANCELLED' } })
    expect(await names('web-01')).not.toContain('Never')
  })
})

describe('reverting', () => {
  test('asks before the present is lost, and says what goes', async () => {
    const no = await asked('n', 'snapshot', 'revert', 'web-01', 'Installed')
    expect(no).toMatchObject({ code: 0, stdout: 'Nothing was changed.\n' })
    expect(no.stderr).toMatch(/^“web-01” goes back to “Installed”, taken \S+ \S+, disks only\.\n {2}lost: what was done since “Automatic 2026-11-20 15:00”, 87\.0 MiB and what is in memory\n {2}Memory: 2048 MiB becomes 1024 MiB\n {2}Processors: 2 becomes 1\n/u)
    expect((await treeOf('web-01')).current.parentId).toBe(fakeSnapshotIds.lastHour)
    const yes = await asked('yes', 'snapshot', 'revert', 'web-01', 'Configured')
    expect(yes).toMatchObject({ code: 0, stdout: '“web-01” is back at “Configured” and runs.\n' })
    expect((await treeOf('web-01')).current.parentId).toBe(fakeSnapshotIds.configured)
  })

  test('where nobody can answer it wants --yes, or the present kept', async () => {
    for (const args of [['snapshot', 'revert', 'web-01', 'Installed'], ['snapshot', 'revert', 'web-01', 'Installed', '--no-start', '--no-memory']]) {
      expect(await run(...args)).toMatchObject({ code: 2, stdout: '', stderr: 'error: reverting without --keep-present asks first; say --yes where nobody can answer\n' })
      expect(await run(...args, '--json')).toMatchObject({ code: 2, error: { code: 'INVALID_INPUT' } })
    }
    expect(await run('snapshot', 'revert', 'web-01', 'Installed', '--keep-present', 'As it was')).toMatchObject({ code: 0, stdout: '“web-01” is back at “Installed” and runs. The present was kept as “As it was”.\n', stderr: expect.any(String) as string })
    expect(await names('web-01')).toContain('As it was')
  })

  test('as JSON it is the machine, and how it came about', async () => {
    expect((await run('snapshot', 'revert', 'web-01', 'Configured', '--yes', '--json')).json).toMatchObject({
      name: 'web-01', state: 'running', reverted: true, keptAs: null, snapshot: { id: fakeSnapshotIds.configured, name: 'Configured' }, definition: { snapshotParentId: fakeSnapshotIds.configured },
    })
    expect((await run('snapshot', 'revert', 'web-01', 'Configured', '--yes', '--no-start', '--json')).json).toMatchObject({ state: 'saved' })
    expect((await run('snapshot', 'revert', 'web-01', 'Configured', '--yes', '--no-start', '--no-memory', '--json')).json).toMatchObject({ state: 'stopped' })
  })

  test('a name for the present that is taken is 5 and changes nothing; a memory that does not load keeps its hint', async () => {
    expect(await run('snapshot', 'revert', 'web-01', 'Installed', '--keep-present', 'configured')).toMatchObject({ code: 5, stderr: expect.stringContaining('choose another name') as string })
    expect((await treeOf('web-01')).current.parentId).toBe(fakeSnapshotIds.lastHour)
    host.snapshots.revert = () => Promise.reject(new RingsideError('QEMU_FAILED', 'The memory does not fit this QEMU.', { hint: 'Its disks are usable: revert without memory.' }))
    expect(await run('snapshot', 'revert', 'web-01', 'Configured', '--yes')).toMatchObject({ code: 1, stderr: 'ringside: The memory does not fit this QEMU.\n  Its disks are usable: revert without memory.\n' })
  })
})

describe('deleting', () => {
  test('shows the plan and asks', async () => {
    const no = await asked('', 'snapshot', 'delete', 'web-01', 'Experiment', '--children')
    expect(no).toMatchObject({ code: 0, stdout: 'Nothing was deleted.\n' })
    expect(no.stderr).toMatch(/^Of “web-01” go:\n {2}“Experiment”\n {2}“Experiment, tuned”\n {2}1\.44 GiB given back\n/u)
    expect(no.stderr).toContain('Delete all 2? [y/N]')
    expect((await asked('y', 'snapshot', 'delete', 'web-01', 'Experiment', '--children')).stdout).toBe('2 snapshots are deleted; 1.44 GiB given back.\n')
    expect(await names('web-01')).toHaveLength(6)
  })

  test('where nobody can answer it wants --yes', async () => {
    expect(await run('snapshot', 'delete', 'web-01', 'Experiment')).toMatchObject({ code: 2, stderr: 'error: deleting asks first; say --yes where nobody can answer\n' })
    const { json, stderr } = await run('snapshot', 'rm', 'web-01', 'Configured', '--yes', '--json')
    expect(stderr).toBe('')
    expect(json).toMatchObject({ machineName: 'web-01', deleted: true, snapshots: [{ id: fakeSnapshotIds.configured, name: 'Configured' }], freesBytes: expect.any(Number) as number, laterBytes: expect.any(Number) as number, notes: [expect.stringContaining('2 branches share') as string] })
    expect(await run('snapshot', 'delete', 'web-01', 'Automatic 2026-11-20 14:00', '--yes')).toMatchObject({ code: 0, stdout: '“Automatic 2026-11-20 14:00” is deleted; 64.0 MiB given back.\n' })
  })

  test('one that clones read from stays: 5, with their names', async () => {
    expect(await run('snapshot', 'delete', 'web-01', 'Base', '--yes')).toMatchObject({ code: 5, stdout: '', stderr: 'ringside: “Base of staging” can’t be deleted. “staging” is a linked clone and reads from it; make it independent or delete it first.\n' })
    expect((await run('snapshot', 'delete', 'web-01', 'Installed', '--children', '--yes', '--json')).error).toMatchObject({ code: 'DISK_IN_USE', message: expect.stringContaining('“Installed” can’t be deleted. “staging”') as string })
    expect(await names('web-01')).toHaveLength(8)
    host.set(fakeIds.running, { task: 'clone' })
    expect(await run('snapshot', 'delete', 'web-01', 'Configured', '--yes')).toMatchObject({ code: 4, stderr: expect.stringMatching(/^ringside: Cannot delete a snapshot of this machine now: it is being cloned\./u) as string })
  })
})

describe('changing', () => {
  test('rename and describe', async () => {
    expect(await run('snapshot', 'rename', 'web-01', 'inst', '  Fresh ')).toMatchObject({ code: 0, stdout: 'It is called “Fresh” now.\n' })
    expect(await run('snapshot', 'rename', 'web-01', 'Fresh', 'Configured')).toMatchObject({ code: 5, stderr: expect.stringContaining('choose another name') as string })
    expect((await run('snapshot', 'rename', 'web-01', 'Fresh', 'a\u202eb')).stderr).toBe('ringside: A name has no control characters; leave them out.\n')
    expect((await run('snapshot', 'describe', 'web-01', 'Fresh', 'new', '--json')).json).toMatchObject({ name: 'Fresh', description: 'new', machineName: 'web-01' })
    expect((await run('snapshot', 'describe', 'web-01', 'Fresh', '')).stdout).toBe('“Fresh” is described no more.\n')
  })

  test('automatic snapshots: shown, set, changed in part, off', async () => {
    expect((await run('snapshot', 'auto', 'windows-11')).stdout).toBe('“windows-11”: no automatic snapshots.\n')
    expect((await run('snapshot', 'auto', 'windows-11', '--every', 'hour', '--json')).json).toEqual({
      machineId: fakeIds.stopped, machineName: 'windows-11', policy: { every: 'hour', keep: { hourly: 24, daily: 7, weekly: 4 }, memory: false },
    })
    expect((await run('snapshot', 'auto', 'windows-11', '--keep-daily', '1', '--keep-weekly', '0', '--memory')).stdout).toBe('“windows-11”: every hour, with memory; keeps one of each of the last 24 hours, the newest of the last day.\n')
    expect((await run('snapshot', 'auto', 'windows-11', '--every', 'week', '--no-memory', '--json')).json).toMatchObject({ policy: { every: 'week', keep: { hourly: 0, daily: 0, weekly: 8 }, memory: false } })
    expect(await run('snapshot', 'auto', 'windows-11', '--keep-weekly', '0')).toMatchObject({ code: 5, stderr: 'ringside: Keep at least one.\n' })
    expect((await run('snapshot', 'auto', 'windows-11', '--off')).stdout).toBe('“windows-11”: no automatic snapshots.\n')
    expect((await run('snapshot', 'auto', 'windows-11', '--json')).json).toMatchObject({ policy: null })
    expect((await run('snapshot', 'auto', 'windows-11', '--memory', '--json')).json).toMatchObject({ policy: { every: 'day', keep: { hourly: 0, daily: 7, weekly: 4 }, memory: true } })
  })

  test('disks are converted', async () => {
    expect(await run('snapshot', 'convert-disks', 'imported')).toMatchObject({ code: 0, stdout: 'The disks of “imported” can be in snapshots now.\n' })
    expect((await run('snapshot', 'take', 'imported', 'x')).code).toBe(0)
    expect(await run('snapshot', 'convert-disks', 'web-01')).toMatchObject({ code: 4 })
  })

  test('files that belong to nothing: listed, and removed when a person says so', async () => {
    expect((await run('snapshot', 'orphans', 'web-01')).stdout).toMatch(/^FILE +SIZE +WHAT IT SEEMS TO BE\ndisks\/disk0\.0badf00d\.qcow2 +192 KiB +A layer of disk0/u)
    expect((await run('snapshot', 'orphans', 'web-01', '--json')).json).toMatchObject({ machineName: 'web-01', orphans: [{ bytes: 196_608 }, { path: 'snapshots/notes.txt' }], problems: [{ code: 'DEFINITION_DAMAGED' }] })
    expect((await run('snapshot', 'orphans', 'windows-11')).stdout).toBe('Every file belongs to something.\n')
    expect(await run('snapshot', 'clean-up', 'web-01')).toMatchObject({ code: 2, stderr: 'error: cleaning up asks first; say --yes where nobody can answer\n' })
    expect(await run('snapshot', 'clean-up', 'web-01', '../machine.json', '--yes')).toMatchObject({ code: 3, stderr: 'ringside: ../machine.json is no file of “web-01” that belongs to nothing.\n  There is disks/disk0.0badf00d.qcow2, snapshots/notes.txt.\n' })
    expect((await run('snapshot', 'clean-up', 'web-01', '', '--yes')).code).toBe(2)
    const no = await asked('n', 'snapshot', 'clean-up', 'web-01', '--permanently')
    expect(no).toMatchObject({ code: 0, stdout: 'Nothing was removed.\n', stderr: expect.stringContaining('Delete for good? [y/N]') as string })
    expect((await run('snapshot', 'clean-up', 'web-01', 'snapshots/notes.txt', '--yes')).stdout).toBe('1 file moved to the trash, 412 bytes.\n')
    expect((await run('snapshot', 'clean-up', 'web-01', '--yes', '--permanently', '--json')).json).toMatchObject({ removed: [{ path: 'disks/disk0.0badf00d.qcow2' }], permanently: true, freedBytes: 196_608 })
    expect((await run('snapshot', 'clean-up', 'web-01')).stdout).toBe('Every file belongs to something; there is nothing to clean up.\n')
  })
})

describe('clones and templates', () => {
  test('a full clone, a linked one of a snapshot, a warm one', async () => {
    expect(await run('clone', 'windows-11', 'desk two')).toMatchObject({ code: 0, stdout: '“desk two” is made. Next: ringside start \'desk two\'\n', stderr: expect.stringMatching(/^ {2}The Windows on its disk has the computer name and the identity of “windows-11”\. /u) as string })
    expect((await run('clone', 'web-01', 'from-then', '--snapshot', 'conf', '--linked', '--start', '--json')).json).toMatchObject({
      name: 'from-then', state: 'running', notes: [expect.stringMatching(/^The Linux on its disk/u) as string], definition: { origin: { kind: 'linked', machineName: 'web-01', snapshotId: fakeSnapshotIds.configured } },
    })
    expect(await run('clone', 'golden', 'shop-03', '--linked', '--warm')).toMatchObject({ code: 0, stdout: '“shop-03” is made. Next: ringside start shop-03\n', stderr: expect.stringMatching(/^ {2}Its guest goes on from the memory of “golden”/u) as string })
    expect((await run('clone', 'golden', '--json', '--', '-x')).json).toMatchObject({ name: '-x' })
    expect((await run('clones', 'golden')).stdout).toMatch(/^shop-01 \(99999999\)\nshop-02 \(aaaaaaaa\)\nshop-03 \([0-9a-f]{8}\)\n$/u)
  })

  test('what can’t be cloned is said', async () => {
    expect(await run('clone', 'web-01', 'WINDOWS-11')).toMatchObject({ code: 5, stderr: expect.stringContaining('A machine named “WINDOWS-11” exists already') as string })
    expect(await run('clone', 'web-01', 'a/b')).toMatchObject({ code: 5, stderr: 'ringside: A name has no slashes, backslashes or control characters; leave them out.\n' })
    expect(await run('clone', 'web-01', 'x', '--snapshot', 'nothing')).toMatchObject({ code: 3 })
    expect(await run('clone', 'windows-11', 'x', '--warm')).toMatchObject({ code: 1, stderr: expect.stringContaining('has no memory that a clone could go on from') as string })
    expect(await run('clone', 'scratch', 'x')).toMatchObject({ code: 4 })
    expect(await run('clone', 'imported', 'x', '--linked')).toMatchObject({ code: 5, stderr: expect.stringMatching(/: ringside snapshot convert-disks imported\n$/u) as string })
  })

  test('clones of a machine that has none', async () => {
    expect(await run('clones', 'windows-11')).toMatchObject({ code: 0, stdout: 'No machine reads from the disks of “windows-11”.\n' })
    expect((await run('clones', 'golden', '--json')).json).toEqual({ id: fakeCloneIds.template, name: 'golden', clones: [{ id: fakeCloneIds.templateClone, name: 'shop-01' }, { id: fakeCloneIds.otherTemplateClone, name: 'shop-02' }] })
  })

  test('a template is made and unmade', async () => {
    expect(await run('template', 'make', 'windows-11')).toMatchObject({ code: 0, stdout: '“windows-11” is a template. Next: ringside clone windows-11 NAME --linked\n' })
    expect(await run('start', 'windows-11')).toMatchObject({ code: 4, stderr: 'ringside: Cannot start a template; turn it back into a machine first.\n' })
    expect((await run('template', 'unmake', 'windows-11')).stdout).toBe('“windows-11” is a machine again.\n')
    expect(await run('template', 'make', 'router')).toMatchObject({ code: 4, stderr: expect.stringContaining('No template can be made of “router” while it is paused.') as string })
    expect((await run('template', 'make', 'router', '--memory')).stdout).toBe('“router” is a template. Next: ringside clone router NAME --linked --warm\n')
    expect((await run('template', 'unmake', 'router', '--json')).json).toMatchObject({ name: 'router', state: 'saved', definition: { template: false } })
    expect(await run('template', 'unmake', 'golden')).toMatchObject({ code: 5, stderr: 'ringside: “golden” can\'t be turned back into a machine. 2 linked clones read from its disks: “shop-01”, “shop-02”.\n  Make them independent, or delete them, first.\n' })
    expect(await run('delete', 'golden', '--yes')).toMatchObject({ code: 5, stderr: expect.stringContaining('“shop-01”, “shop-02”') as string })
  })

  test('a linked clone is made independent', async () => {
    expect(await run('detach', 'shop-02')).toMatchObject({ code: 0, stdout: '“shop-02” is independent.\n' })
    expect((await run('clones', 'golden', '--json')).json).toMatchObject({ clones: [{ name: 'shop-01' }] })
    expect(await run('detach', 'windows-11')).toMatchObject({ code: 4, stderr: expect.stringContaining('independent already') as string })
    expect(await run('detach', 'shop-01')).toMatchObject({ code: 4 })
  })

  test('a disposable start says what it means', async () => {
    const { code, stdout } = await run('start', 'windows-11', '--disposable')
    expect({ code, stdout }).toEqual({ code: 0, stdout: '“windows-11” runs; what it writes is thrown away when it is off.\n' })
    expect((await run('start', 'old-database', '--json')).json).toMatchObject({ run: { disposable: false } })
  })
})
