import { mkdtemp, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { copyLargeFile, dataRuns } from './copy-file'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rs-copy-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function put(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, bytes)
  return path
}

describe('copying a large file', () => {
  test('keeps holes and content', async () => {
    const from = join(folder, 'big')
    const island = Buffer.from('island')
    await writeFile(from, '')
    await truncate(from, 50 * 1024 * 1024)
    const content = await readFile(from)
    island.copy(content, 33 * 1024 * 1024 + 5)
    content[content.length - 1] = 1
    await writeFile(from, content)
    const seen: number[] = []
    await copyLargeFile(from, join(folder, 'copy'), (fraction) => seen.push(fraction), new AbortController().signal)
    expect((await readFile(join(folder, 'copy'))).equals(content)).toBe(true)
    if (process.platform === 'linux') expect((await stat(join(folder, 'copy'))).blocks * 512).toBeLessThan(2 * 1024 * 1024)
    expect(seen).toEqual([...seen].sort((a, b) => a - b))
  })

  test('never overwrites, and cleans up when cancelled', async () => {
    const from = await put('from', Buffer.alloc(20 * 1024 * 1024, 1))
    const there = await put('there', Buffer.from('precious'))
    await expect(copyLargeFile(from, there, () => undefined, new AbortController().signal)).rejects.toMatchObject({
      code: 'FILE_EXISTS',
      message: `There is a file of that name already: ${there}`,
    })
    expect(await readFile(there, 'utf8')).toBe('precious')
    await expect(
      copyLargeFile(join(folder, 'gone'), join(folder, 'to'), () => undefined, new AbortController().signal),
    ).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', data: { path: join(folder, 'gone') } })
    const controller = new AbortController()
    await expect(
      copyLargeFile(
        from,
        join(folder, 'to'),
        () => {
          controller.abort()
        },
        controller.signal,
      ),
    ).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(await readdir(folder)).not.toContain('to')
  })

  test('finds the stretches with data', () => {
    const step = 64 * 1024
    const buffer = Buffer.alloc(4 * step + 10)
    buffer[step] = 1
    buffer[4 * step + 9] = 1
    expect(dataRuns(buffer).map((run) => [run.offset, run.bytes.length])).toEqual([
      [step, step],
      [4 * step, 10],
    ])
    expect(dataRuns(Buffer.alloc(100))).toEqual([])
  })
})
