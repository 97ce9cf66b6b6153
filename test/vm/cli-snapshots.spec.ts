import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PNG } from 'pngjs'
import { expect, test, vi } from 'vitest'
import type { MachineView, Snapshot, SnapshotTree } from '@shared/model'
import { TemporaryFolder } from './support/temporary-folder'
import { useCommandLine } from './support/use-command-line'

/** Each of them some dozen commands, every one of which is a host of its own. */
const storyMs = 240_000

const at = useCommandLine()
const { run } = at
/** The answer of a command that has to succeed. */
const answer = async <T>(...args: string[]): Promise<T> => {
  const outcome = await run(...args, '--json')
  expect(outcome, args.join(' ')).toMatchObject({ code: 0, stderr: '' })
  return outcome.json as T
}
const treeOf = (machine: string): Promise<SnapshotTree> => answer('snapshot', 'list', machine)
/** Children by their parents, by name; the present is `now`. */
const edgesOf = async (machine: string): Promise<string[]> => {
  const { snapshots, current } = await treeOf(machine)
  const nameOf = (id: string | null): string => snapshots.find((snapshot) => snapshot.id === id)?.name ?? '-'
  return [...snapshots.map(({ name, parentId }) => `${nameOf(parentId)} > ${name}`), `${nameOf(current.parentId)} > now`].sort()
}

/** Makes a machine and remembers where it is. */
const make = async <T extends MachineView>(name: string, ...args: string[]): Promise<T> => {
  const made = await answer<T>(...args)
  folders.set(name, made.folder)
  return made
}
const folders = new Map<string, string>()
/** All that the guest has printed: starts with their number, and seconds. Read from the file, not by `log`, as it is looked at often. */
const printed = (machine: string): Promise<string> => readFile(join(folders.get(machine) ?? '', 'logs', 'serial0.log'), 'latin1').catch(() => '')
const bootsIn = (text: string): number[] => [...text.matchAll(/ringside sample, boot (\d+)/gu)].map((match) => Number(match[1]))
const ticksIn = (text: string): number[] => [...text.matchAll(/tick (\d+)/gu)].map((match) => Number(match[1]))
const untilTick = async (machine: string, least: number): Promise<number> => {
  let last = 0
  await vi.waitFor(async () => {
    last = ticksIn(await printed(machine)).at(-1) ?? 0
    expect(last).toBeGreaterThanOrEqual(least)
  }, { timeout: 60_000 })
  return last
}
const untilBoot = (machine: string, boot: number): Promise<void> => vi.waitFor(async () => { expect(bootsIn(await printed(machine)).at(-1)).toBe(boot) }, { timeout: 60_000 })

test('a tester’s tree: take while it runs, go on, go back, branch, delete from the middle', async () => {
  await make('demo', 'sample', 'demo', '--start')
  await untilTick('demo', 2)
  const first = await answer<Snapshot & { machineName: string }>('snapshot', 'take', 'demo', 'First', '--description', 'two seconds in')
  expect(first).toMatchObject({ machineName: 'demo', name: 'First', parentId: null, machineState: 'running', kind: 'manual', description: 'two seconds in', hasScreen: true })
  expect(first.method).not.toBe('none')
  expect(first.memory?.sizeBytes).toBeGreaterThan(0)
  const atFirst = ticksIn(await printed('demo')).at(-1) ?? 0

  // The machine went on.
  expect(await run('info', 'demo')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^State +running/mu) as string })
  const later = await untilTick('demo', atFirst + 4)
  const second = await run('snapshot', 'take', 'demo', 'Second', '--no-memory')
  expect(second).toMatchObject({ code: 0, stdout: expect.stringMatching(/^“Second” is taken: disks only/u) as string, stderr: expect.stringMatching(/disks only, as asked\.\n/u) as string })
  expect(await edgesOf('demo')).toEqual(['- > First', 'First > Second', 'Second > now'])
  expect((await run('snapshot', 'show', 'demo', 'sec')).stdout).toMatch(/^Name +Second\n[^]*^After +First \(/mu)

  await using pictures = await TemporaryFolder.make()
  await answer('snapshot', 'screen', 'demo', 'First', pictures.in('first.png'))
  expect(PNG.sync.read(await readFile(pictures.in('first.png'))).width).toBeGreaterThanOrEqual(320)

  // Back, with memory: the seconds go on from then. Nothing is lost unasked.
  expect(await run('snapshot', 'revert', 'demo', 'First')).toMatchObject({ code: 2, stdout: '' })
  expect(await run('snapshot', 'revert', 'demo', 'First', '--keep-present', 'second')).toMatchObject({ code: 5, stderr: expect.stringContaining('“Second” already; choose another name.') as string })
  expect(await answer('snapshot', 'revert', 'demo', 'First', '--keep-present', 'Later')).toMatchObject({ name: 'demo', state: 'running', reverted: true, keptAs: 'Later' })
  await vi.waitFor(async () => {
    const ticks = ticksIn(await printed('demo'))
    expect(ticks.at(-1)).toBeLessThan(later)
    expect(ticks.at(-1)).toBeGreaterThan(atFirst)
  }, { timeout: 60_000 })
  expect(bootsIn(await printed('demo'))).toEqual([1])
  expect(await edgesOf('demo')).toEqual(['- > First', 'First > Second', 'First > now', 'Second > Later'])
  expect((await run('snapshot', 'tree', 'demo')).stdout.replace(/ {2,}.*$/gmu, '')).toBe('SNAPSHOT\n○ First\n├─○ Second\n│ ○ Later\n● now\n')

  // One from the middle goes; the last of its branch is as whole as before.
  expect(await answer('snapshot', 'delete', 'demo', 'Second', '--yes')).toMatchObject({ deleted: true, snapshots: [{ name: 'Second' }] })
  expect(await edgesOf('demo')).toEqual(['- > First', 'First > Later', 'First > now'])
  expect(await answer('snapshot', 'revert', 'demo', 'Later', '--yes', '--no-start')).toMatchObject({ state: 'saved' })
  expect(await answer('start', 'demo')).toMatchObject({ state: 'running' })
  await untilTick('demo', later)
  // Without memory: as after a power cut.
  expect(await answer('snapshot', 'revert', 'demo', 'First', '--yes', '--no-memory')).toMatchObject({ state: 'running' })
  await untilBoot('demo', 2)
  expect(await answer('snapshot', 'rename', 'demo', 'First', 'The beginning')).toMatchObject({ name: 'The beginning' })
  expect(await answer('snapshot', 'delete', 'demo', 'The beginning', '--children', '--yes')).toMatchObject({ deleted: true })
  expect(await edgesOf('demo')).toEqual(['- > now'])
  expect(await answer('snapshot', 'orphans', 'demo')).toMatchObject({ orphans: [], problems: [] })
  await answer('stop', 'demo', '--force')
  expect(await answer('start', 'demo')).toMatchObject({ state: 'running' })
  await untilBoot('demo', 3)
  await answer('stop', 'demo', '--force')
  await answer('delete', 'demo', '--yes', '--permanently')
}, storyMs)

test('machines from machines: a branch of a snapshot, a template with warm clones, one made independent', async () => {
  await make('golden', 'sample', 'golden', '--start')
  await untilTick('golden', 2)
  await answer('snapshot', 'take', 'golden', 'Ready')
  const branch = await make('branch', 'clone', 'golden', 'branch', '--snapshot', 'Ready', '--linked', '--start')
  expect(branch).toMatchObject({ state: 'running', definition: { origin: { kind: 'linked', machineName: 'golden' } } })
  await untilBoot('branch', 2)
  expect(await run('snapshot', 'delete', 'golden', 'Ready', '--yes')).toMatchObject({ code: 5, stdout: '', stderr: expect.stringContaining('“branch” is a linked clone') as string })
  expect(await answer('clones', 'golden')).toMatchObject({ clones: [{ id: branch.id, name: 'branch' }] })

  expect(await run('template', 'make', 'golden')).toMatchObject({ code: 4, stdout: '' })
  expect(await answer('template', 'make', 'golden', '--memory')).toMatchObject({ state: 'saved', definition: { template: true } })
  const frozenAt = ticksIn(await printed('golden')).at(-1) ?? 0
  expect(await run('start', 'golden')).toMatchObject({ code: 4, stderr: expect.stringContaining('a template') as string })
  for (const name of ['shop-1', 'shop-2']) {
    const clone = await make<MachineView & { notes: string[] }>(name, 'clone', 'golden', name, '--linked', '--warm', '--start')
    expect(clone).toMatchObject({ state: 'running', notes: [expect.stringContaining('from the memory of “golden”') as string] })
    // It goes on where the template was, without a start of its own.
    expect(await untilTick(name, frozenAt + 1)).toBeLessThan(frozenAt + 60)
    expect(bootsIn(await printed(name))).toEqual([])
  }
  expect((await run('list')).stdout).toMatch(/^golden .* template$[^]*^shop-1 .* linked clone of golden$/mu)
  expect(await run('template', 'unmake', 'golden')).toMatchObject({ code: 5, stderr: expect.stringContaining('“shop-1”, “shop-2”') as string })
  expect(await run('delete', 'golden', '--yes')).toMatchObject({ code: 5, stderr: expect.stringContaining('“branch”') as string })

  for (const name of ['branch', 'shop-1', 'shop-2']) await answer('stop', name, '--force')
  expect(await run('detach', 'shop-1')).toMatchObject({ code: 0, stdout: '“shop-1” is independent.\n' })
  await answer('detach', 'branch')
  await answer('delete', 'shop-2', '--yes', '--permanently')
  expect(await answer('clones', 'golden')).toMatchObject({ clones: [] })
  expect(await answer('template', 'unmake', 'golden')).toMatchObject({ state: 'saved', definition: { template: false } })
  await answer('delete', 'golden', '--yes', '--permanently')
  // They need nobody now.
  await answer('start', 'branch')
  await untilBoot('branch', 3)
  await answer('start', 'shop-1')
  await untilBoot('shop-1', 2)
  expect(await answer('clone', 'branch', 'copy')).toMatchObject({ state: 'stopped', definition: { origin: { kind: 'full' } } })
  for (const name of ['branch', 'shop-1']) await answer('stop', name, '--force')
  for (const name of ['branch', 'shop-1', 'copy']) await answer('delete', name, '--yes', '--permanently')
  expect(await readdir(join(at.library.data, 'library'))).toEqual([])
}, storyMs)

test('a disposable run leaves nothing, and a policy is kept', async () => {
  await make('scratch', 'sample', 'scratch')
  expect(await answer('start', 'scratch', '--disposable')).toMatchObject({ state: 'running', run: { disposable: true } })
  await untilBoot('scratch', 1)
  expect(await run('snapshot', 'take', 'scratch', 'x')).toMatchObject({ code: 4, stderr: expect.stringContaining('in a disposable run') as string })
  await answer('stop', 'scratch', '--force')
  expect(await answer('start', 'scratch')).toMatchObject({ run: { disposable: false } })
  // The first start that counts.
  await vi.waitFor(async () => { expect(bootsIn(await printed('scratch'))).toEqual([1, 1]) }, { timeout: 60_000 })
  await answer('stop', 'scratch', '--force')
  expect(await answer('snapshot', 'auto', 'scratch', '--every', 'hour', '--keep-hourly', '3')).toMatchObject({ policy: { every: 'hour', keep: { hourly: 3, daily: 7, weekly: 4 } } })
  expect((await run('info', 'scratch')).stdout).toMatch(/^Automatic +every hour, without memory; /mu)
  expect(await answer('snapshot', 'auto', 'scratch', '--off')).toMatchObject({ policy: null })
  await answer('delete', 'scratch', '--yes', '--permanently')
}, storyMs)
