import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { shareFault } from './share-fault'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rs-share-'))
  for (const name of ['data/library/web-01', 'data/library-of-books', 'music']) await mkdir(join(folder, name), { recursive: true })
  await symlink('data', join(folder, 'way-in'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test.each([
  ['data/library', /own library/u], ['data', /library is in this folder/u], ['.', /library is in this folder/u], ['data/library/web-01', /is in Ringside’s library/u], ['way-in/library/web-01', /is in Ringside’s library/u],
  ['way-in', /library is in this folder/u], ['music', null], ['data/library-of-books', null], ['not-there', null],
] as const)('a guest may write to %s only where the library is out of reach', async (path, words) => {
  const fault = await shareFault(join(folder, path), join(folder, 'data/library'))
  if (words === null) expect(fault).toBeNull()
  else expect(fault).toMatch(words)
})
