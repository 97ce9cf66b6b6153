import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'

test.runIf(process.platform === 'linux')('a folder goes to the trash whole, whatever is in its name', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rs-trash-'))
  // Read when the module is loaded; the person's own trash is left alone. It serves the drive that the home folder is on.
  vi.stubEnv('HOME', folder)
  vi.stubEnv('XDG_DATA_HOME', join(folder, 'xdg'))
  const { systemTrash } = await import('./system-trash')
  const machine = join(folder, 'web [1] *-01234567')
  const neighbour = join(folder, 'web 1 x-01234567')
  for (const path of [machine, neighbour]) {
    await mkdir(path)
    await writeFile(join(path, 'machine.json'), path)
  }
  await systemTrash(machine)
  expect((await readdir(folder)).sort()).toEqual(['web 1 x-01234567', 'xdg'])
  const files = join(folder, 'xdg/Trash/files')
  const [name = ''] = await readdir(files)
  expect(await readFile(join(files, name, 'machine.json'), 'utf8')).toBe(machine)
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

test('a trash that can’t be written to is known of before something goes to it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-trash-'))
  const { trashObstacle } = await import('./system-trash')
  try {
    expect(await trashObstacle({ HOME: folder }, 'linux')).toBeNull()
    await writeFile(join(folder, '.local'), 'no folder')
    expect(await trashObstacle({ HOME: folder }, 'linux')).toContain(join(folder, '.local/share/Trash'))
    expect(await trashObstacle({ HOME: folder, XDG_DATA_HOME: join(folder, 'data') }, 'linux')).toBeNull()
    expect(await trashObstacle({ HOME: folder }, 'darwin')).toBeNull()
  } finally {
    await rm(folder, { recursive: true })
  }
})
