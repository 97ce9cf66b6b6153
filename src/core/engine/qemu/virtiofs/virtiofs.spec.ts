import { expect, test } from 'vitest'
import { abilitiesOf } from './ask-virtiofsd'
import { folderObstacle, virtiofsObstacle } from './choose-driver'
import { shareObstacle, virtiofsdArguments } from './virtiofsd-argv'

const rustHelp = 'Usage: virtiofsd --shared-dir <SHARED_DIR> --socket-path <SOCKET_PATH> [OPTIONS]\n      --readonly\n          Prevent the guest from\n      --translate-uid <TRANSLATE_UID>\n'
const cHelp = 'usage: /usr/lib/qemu/virtiofsd [options]\n    -o source=PATH             shared directory tree\n    --socket-path=PATH         path for the vhost-user socket\n'
const rust = { path: '/usr/libexec/virtiofsd', dialect: 'rust', sandbox: 'namespace', readOnly: true, translatesIds: true } as const
const old = { path: '/usr/lib/qemu/virtiofsd', dialect: 'c', sandbox: 'namespace', readOnly: false, translatesIds: false } as const
const share = { folder: '/srv/music', socket: '/run/user/1000/ringside/6f9619ff/fs0', readOnly: true }
const qemu = { version: '7.2.22', devices: ['vhost-user-fs-pci'], features: { memfd: true } }

test('a virtiofsd is known by its help, not by its version', () => {
  expect(abilitiesOf(rustHelp)).toEqual({ dialect: 'rust', readOnly: true, translatesIds: true })
  expect(abilitiesOf(rustHelp.replaceAll(/--(readonly|translate-uid)/gu, ''))).toEqual({ dialect: 'rust', readOnly: false, translatesIds: false })
  expect(abilitiesOf(cHelp)).toEqual({ dialect: 'c', readOnly: false, translatesIds: false })
  expect(abilitiesOf('virtiofsd: the new one, in another language')).toBeNull()
})

test('the command line in both dialects', () => {
  expect(virtiofsdArguments(rust, share, { uid: 1000, gid: 100 })).toEqual([
    '--socket-path=/run/user/1000/ringside/6f9619ff/fs0', '--shared-dir=/srv/music', '--sandbox=namespace', '--cache=auto', '--log-level=info', '--readonly',
    '--translate-uid=squash-guest:0:1000:4294967295', '--translate-gid=squash-guest:0:100:4294967295',
  ])
  expect(virtiofsdArguments(rust, { ...share, readOnly: false }, { uid: 0, gid: 0 }).filter((argument) => /readonly|translate/u.test(argument))).toEqual([])
  expect(virtiofsdArguments({ ...old, sandbox: 'chroot' }, { ...share, readOnly: false }, { uid: 0, gid: 0 })).toEqual([
    '--socket-path=/run/user/1000/ringside/6f9619ff/fs0', '-o', 'source=/srv/music', '-o', 'sandbox=chroot', '-o', 'cache=auto', '-o', 'log_level=info', '-f',
  ])
})

test('what a folder can’t have is said: a promise to be read-only, a comma', () => {
  expect(shareObstacle(rust, share)).toBeNull()
  expect(shareObstacle(old, share)).toContain('can’t keep a guest from writing')
  expect(shareObstacle(old, { folder: '/srv/a,b', readOnly: false })).toContain('comma')
  expect(folderObstacle({ path: '/srv/music', readOnly: true }, { virtiofsd: old, obstacle: null }, qemu, 'linux')).toMatch(/^This computer’s virtiofsd can’t keep.*\.$/u)
  expect(folderObstacle({ path: '/srv/music', readOnly: true }, { virtiofsd: rust, obstacle: null }, qemu, 'linux')).toBeNull()
})

test('why there is no virtiofs at all', () => {
  expect(virtiofsObstacle({ obstacle: null }, qemu, 'darwin')).toBe('Only on Linux.')
  expect(virtiofsObstacle({ obstacle: null }, { ...qemu, devices: [] }, 'linux')).toContain('without vhost-user-fs-pci')
  expect(virtiofsObstacle({ obstacle: null }, { ...qemu, features: {} }, 'linux')).toContain('memory that other programs may map')
  expect(virtiofsObstacle({ obstacle: 'virtiofsd was not found.' }, qemu, 'linux')).toBe('virtiofsd was not found.')
})
