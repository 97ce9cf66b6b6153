import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Unfinished } from './unfinished'

let folder: string
const record = (): string => join(folder, 'cache', 'unfinished.json')

const unasked = (): never => expect.fail('Nobody has to be asked.')

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rs-unfinished-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('what a host leaves behind is removed by the next one, and nothing else', async () => {
  const first = new Unfinished(record())
  const left = await first.begin(join(folder, 'disk.qcow2'))
  const ended = await first.begin(join(folder, 'other.qcow2'))
  await writeFile(left, 'half')
  await writeFile(ended, 'half')
  await first.end(ended)
  await writeFile(join(folder, 'disk.qcow2'), 'whole')
  expect((await readdir(folder)).sort()).toEqual([expect.stringMatching(/^\.disk\.qcow2\.[0-9a-f]{8}\.partial$/u) as string, 'cache', 'disk.qcow2'])
  await new Unfinished(record()).clear(unasked)
  expect((await readdir(folder)).sort()).toEqual(['cache', 'disk.qcow2'])
  expect(JSON.parse(await readFile(record(), 'utf8'))).toEqual({ images: [] })
})

test('a record that names something else, or makes no sense, removes nothing', async () => {
  await new Unfinished(record()).begin(join(folder, 'x'))
  const precious = join(folder, 'precious.qcow2')
  await writeFile(precious, 'whole')
  for (const text of [JSON.stringify({ images: [{ path: precious }] }), '{"images":7}', 'nonsense', '']) {
    await writeFile(record(), text)
    await new Unfinished(record()).clear(unasked)
    expect(await readFile(precious, 'utf8')).toBe('whole')
  }
})

test('a long name stays short enough for every file system', async () => {
  const path = await new Unfinished(record()).begin(join(folder, `${'ü'.repeat(120)}.qcow2`))
  await writeFile(path, '')
  expect(Buffer.byteLength(path.slice(folder.length + 1))).toBeLessThan(255)
})

test('a whole image that nobody has yet is removed by the next host; one that somebody has, or that is another by now, stays', async () => {
  const disk = join(folder, 'disk.qcow2')
  const named = async (): Promise<void> => {
    const left = new Unfinished(record())
    const partial = await left.begin(disk)
    await writeFile(partial, 'whole')
    await left.name(partial, disk)
  }
  const clear = (needed: boolean | null): Promise<void> => new Unfinished(record()).clear(() => Promise.resolve(needed))
  const isThere = async (): Promise<boolean> => (await readdir(folder)).includes('disk.qcow2')
  await named()
  // As long as it can’t be told it is asked again.
  await clear(null)
  expect(await isThere()).toBe(true)
  await clear(false)
  expect(await isThere()).toBe(false)
  await named()
  await clear(true)
  await clear(false)
  expect(await isThere()).toBe(true)
  await rm(disk)
  await named()
  await writeFile(join(folder, 'other'), 'other')
  await rename(join(folder, 'other'), disk)
  await clear(false)
  expect(await readFile(disk, 'utf8')).toBe('other')
})

test('a note of a name elsewhere removes nothing', async () => {
  const left = new Unfinished(record())
  const partial = await left.begin(join(folder, 'disk.qcow2'))
  await writeFile(partial, 'whole')
  await left.name(partial, join(folder, 'precious.qcow2'))
  await new Unfinished(record()).clear(unasked)
  expect(await readFile(join(folder, 'precious.qcow2'), 'utf8')).toBe('whole')
})
