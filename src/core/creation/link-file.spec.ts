import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { linkOrCopy } from './link-file'

let folder: string
const never = new AbortController().signal
const quiet = (): undefined => undefined

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringside-link-'))
  await writeFile(join(folder, 'memory'), 'memory')
})
afterAll(() => rm(folder, { recursive: true }))

test('one file has two names, and outlives the loss of one', async () => {
  const second = join(folder, 'second')
  await linkOrCopy(join(folder, 'memory'), second, quiet, never)
  expect((await stat(second)).nlink).toBe(2)
  await rm(join(folder, 'memory'))
  expect(await readFile(second, 'utf8')).toBe('memory')
  await linkOrCopy(second, join(folder, 'memory'), quiet, never)
})

test('nothing is overwritten, and what is missing is named', async () => {
  await writeFile(join(folder, 'mine'), 'mine')
  await expect(linkOrCopy(join(folder, 'memory'), join(folder, 'mine'), quiet, never)).rejects.toMatchObject({ code: 'FILE_EXISTS', data: { path: join(folder, 'mine') } })
  expect(await readFile(join(folder, 'mine'), 'utf8')).toBe('mine')
  await expect(linkOrCopy(join(folder, 'gone'), join(folder, 'new'), quiet, never)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', data: { path: join(folder, 'gone') } })
})

test.runIf(process.platform === 'linux')('where there can be no second name there is a copy', async (context) => {
  // Another file system.
  const elsewhere = await mkdtemp('/dev/shm/ringside-link-').catch(() => context.skip())
  try {
    const target = join(elsewhere, 'copy')
    await linkOrCopy(join(folder, 'memory'), target, quiet, never)
    expect(await readFile(target, 'utf8')).toBe('memory')
    expect((await stat(target)).nlink).toBe(1)
  } finally {
    await rm(elsewhere, { recursive: true })
  }
})
