import { expect, test } from 'vitest'
import { blockedInWords } from './blocked-reasons'

test('a folder that is mounted is named as people know it; all else is as QEMU says it', () => {
  const mounted = 'Migration is disabled when VirtFS export path \'/run/user/1000/ringside/6f9619ff/share\' is mounted in the guest using mount_tag \'music\''
  expect(blockedInWords([mounted, 'non-migratable device: 0000:00:03.0/nvme'])).toBe('the folder “music” is mounted in the guest; non-migratable device: 0000:00:03.0/nvme')
})
