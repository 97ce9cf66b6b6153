import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { handOver } from './hand-over'

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-secret-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

test.skipIf(process.platform === 'win32')('a program reads a secret from a file that has no name', () => inFolder(async (folder) => {
  await using secret = await handOver('geheim', join(folder, 'key'), 3)
  expect(await readdir(folder)).toEqual([])
  const { stdout } = spawnSync('cat', [secret.file], { stdio: ['ignore', 'pipe', 'inherit', secret.fd ?? 0] })
  expect(stdout.toString()).toBe('geheim')
}))

test('where files must have names, it is this user’s alone and gone afterwards', () => inFolder(async (folder) => {
  const path = join(folder, 'key')
  {
    await using secret = await handOver('geheim', path, 3, 'win32')
    expect(secret).toMatchObject({ file: path, fd: null })
    expect(await readFile(path, 'utf8')).toBe('geheim')
    expect((await stat(path)).mode & 0o077).toBe(0)
  }
  expect(await readdir(folder)).toEqual([])
}))
