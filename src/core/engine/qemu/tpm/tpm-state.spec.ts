import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { copyTpmState, makeTpmState, readTpmState, requireTpmState } from './tpm-state'

let folder: string
const at = (...names: string[]): string => join(folder, ...names)
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'rs-tpm-')) })
afterEach(() => rm(folder, { recursive: true, force: true }))

test('a copy has the keys and nothing that belongs to a process, and is private', async () => {
  await mkdir(at('tpm/a'), { recursive: true })
  await writeFile(at('tpm/a/tpm2-00.permall'), 'keys')
  await writeFile(at('tpm/a/.lock'), '')
  await writeFile(at('tpm/a/tpm2-00.volatilestate'), 'of then')
  await copyTpmState(at('tpm/a'), at('snapshots/x/tpm/a'))
  expect(await readdir(at('snapshots/x/tpm/a'))).toEqual(['tpm2-00.permall'])
  expect(await readFile(at('snapshots/x/tpm/a/tpm2-00.permall'), 'utf8')).toBe('keys')
  if (process.platform === 'win32') return
  expect(((await stat(at('snapshots/x/tpm/a'))).mode & 0o777).toString(8)).toBe('700')
  expect(((await stat(at('snapshots/x/tpm/a/tpm2-00.permall'))).mode & 0o777).toString(8)).toBe('600')
})

test('a new TPM has an empty folder, and so has its copy', async () => {
  await makeTpmState(at('tpm/new'))
  expect(await readTpmState(at('tpm/new'))).toBeNull()
  await copyTpmState(at('tpm/new'), at('tpm/copy'))
  expect(await readdir(at('tpm/copy'))).toEqual([])
})

test('a state that is gone is told of, and links and impostors are not followed', async () => {
  await expect(requireTpmState(at('none'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', data: { hint: expect.stringContaining('backup') as string } })
  await mkdir(at('real'))
  await symlink(at('real'), at('link'))
  await expect(requireTpmState(at('link'))).rejects.toMatchObject({ code: 'FILE_EXISTS' })
  await symlink('/etc/passwd', at('real/tpm2-00.permall'))
  await expect(copyTpmState(at('real'), at('to'))).rejects.toMatchObject({ code: 'FILE_EXISTS' })
  await expect(stat(at('to'))).rejects.toThrow()
})

test('what is far too large is no state', async () => {
  await mkdir(at('large'))
  await writeFile(at('large/tpm2-00.permall'), Buffer.alloc(9 * 2 ** 20))
  await expect(readTpmState(at('large'))).rejects.toMatchObject({ code: 'IMAGE_DAMAGED' })
})
