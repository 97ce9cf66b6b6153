import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { guestTarget, hostTarget, requireGuestPath, requireHostPath } from './copy-paths'

let folder: string
beforeEach(async () => { folder = await realpath(await mkdtemp(join(tmpdir(), 'ringside-paths-'))) })
afterEach(() => rm(folder, { recursive: true }))

const target = async (wanted: string, guestPath = '/etc/motd', options: { overwrite?: boolean; kept?: string[] } = {}): Promise<string> =>
  (await hostTarget(wanted, guestPath, { overwrite: false, kept: [], ...options })).path

test('a folder of the guest takes the file’s own name', () => {
  expect(guestTarget('/tmp/', '/home/ada/site.tar')).toBe('/tmp/site.tar')
  expect(guestTarget('C:\\Users\\', '/home/ada/site.tar')).toBe('C:\\Users\\site.tar')
  expect(guestTarget('/tmp/other', '/home/ada/site.tar')).toBe('/tmp/other')
})

test.each(['tmp/x', './x', '~/x', 'C:x', '', 'xy:/z'])('%j is no whole path of a guest', (path) => {
  expect(() => requireGuestPath(path)).toThrowError(expect.objectContaining({ code: 'INVALID_INPUT' }) as Error)
})

test('a path here has to be whole', () => {
  expect(() => requireHostPath('site.tar')).toThrowError(expect.objectContaining({ code: 'INVALID_INPUT' }) as Error)
  expect(requireHostPath('/a/../b')).toBe('/b')
})

test('a file or a folder may be named', async () => {
  await mkdir(join(folder, 'here'))
  expect(await target(join(folder, 'new.txt'))).toBe(join(folder, 'new.txt'))
  expect(await target(folder)).toBe(join(folder, 'motd'))
  expect(await target(`${folder}/here/`, 'C:\\Windows\\win.ini')).toBe(join(folder, 'here', 'win.ini'))
  await expect(target(join(folder, 'none', 'x'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
})

test.each(['/', '/etc/', '/..', '/a/..', '/a/.', '\\\\x\\..', '/a/b\u001b[2J', `/${'n'.repeat(300)}`])('the guest’s name %j leads nowhere else', async (guestPath) => {
  await expect(target(folder, guestPath)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  expect(await readdir(folder)).toEqual([])
})

test('what is there stays, and what is no file always does', async () => {
  await writeFile(join(folder, 'motd'), 'mine')
  await mkdir(join(folder, 'sub'))
  await mkdir(join(folder, 'sub', 'motd'))
  await expect(target(folder)).rejects.toMatchObject({ code: 'FILE_EXISTS' })
  expect(await target(folder, '/etc/motd', { overwrite: true })).toBe(join(folder, 'motd'))
  await expect(target(join(folder, 'sub'), '/etc/motd', { overwrite: true })).rejects.toMatchObject({ code: 'NOT_A_FILE' })
})

test('nothing goes where Ringside keeps machines, by whatever way', async () => {
  const library = join(folder, 'library')
  await mkdir(join(library, 'web-01', 'disks'), { recursive: true })
  await symlink(library, join(folder, 'link'))
  for (const wanted of [join(library, 'x'), join(library, 'web-01', 'disks'), join(folder, 'link', 'web-01', 'machine.json'), `${folder}/other/../library/x`]) {
    await expect(target(wanted, '/x', { kept: [library], overwrite: true })).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  }
  expect(await target(join(folder, 'library-2'), '/x', { kept: [library] })).toBe(join(folder, 'library-2'))
})
