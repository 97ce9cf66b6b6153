import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Unfinished } from './unfinished'

let folder: string
const record = (): string => join(folder, 'cache', 'unfinished.json')

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
  await new Unfinished(record()).clear()
  expect((await readdir(folder)).sort()).toEqual(['cache', 'disk.qcow2'])
  expect(JSON.parse(await readFile(record(), 'utf8'))).toEqual({ images: [] })
})

test('a record that names something else, or makes no sense, removes nothing', async () => {
  await new Unfinished(record()).begin(join(folder, 'x'))
  const precious = join(folder, 'precious.qcow2')
  await writeFile(precious, 'whole')
  for (const text of [JSON.stringify({ images: [{ path: precious }] }), '{"images":7}', 'nonsense', '']) {
    await writeFile(record(), text)
    await new Unfinished(record()).clear()
    expect(await readFile(precious, 'utf8')).toBe('whole')
  }
})

test('a long name stays short enough for every file system', async () => {
  const path = await new Unfinished(record()).begin(join(folder, `${'ü'.repeat(120)}.qcow2`))
  await writeFile(path, '')
  expect(Buffer.byteLength(path.slice(folder.length + 1))).toBeLessThan(255)
})
