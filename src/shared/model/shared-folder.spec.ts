import { expect, test } from 'vitest'
import { mountCommand, windowsMountHint } from './shared-folder'

test('a guest is told how to mount a folder by the way it goes', () => {
  const folder = { tag: 'music', readOnly: false }
  expect(mountCommand({ ...folder, driver: 'virtiofs' })).toBe('mount -t virtiofs music /mnt')
  expect(mountCommand({ ...folder, driver: '9p', readOnly: true }, '/srv')).toBe('mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,ro music /srv')
  expect(mountCommand({ ...folder, driver: 'auto' })).toBe('mount -t virtiofs music /mnt || mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 music /mnt')
  expect(windowsMountHint({ driver: '9p' })).toContain('choose virtiofs')
  expect(windowsMountHint({ driver: 'virtiofs' })).toContain('WinFsp')
})
