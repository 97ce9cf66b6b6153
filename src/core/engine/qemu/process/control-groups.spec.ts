import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findControlGroups, groupOf, limitProcessorTime } from './control-groups'

let root: string
beforeEach(async () => { root = await mkdtemp(join(tmpdir(), 'rs-cgroup-')) })
afterEach(() => rm(root, { recursive: true, force: true }))

async function files(content: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(content)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
}
const unified = '30 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n'

test('a session: the nearest group above that gives its controller away', async () => {
  const session = 'sys/fs/cgroup/user.slice/user@1000.service'
  await files({
    'proc/self/mountinfo': unified, 'proc/self/cgroup': '0::/user.slice/user@1000.service/app.slice/app-ringside.scope\n', 'proc/7/cgroup': '0::/user.slice/user@1000.service/ringside-m\n',
    [`${session}/cgroup.subtree_control`]: 'cpu memory pids\n', [`${session}/cgroup.procs`]: '', [`${session}/app.slice/cgroup.subtree_control`]: 'memory pids\n', [`${session}/app.slice/app-ringside.scope/cgroup.procs`]: '7\n',
  })
  const groups = await findControlGroups('linux', root)
  expect(groups).toEqual({ version: 2, parent: join(root, session) })
  if (typeof groups === 'string') return
  const folder = await limitProcessorTime(groups, { name: 'ringside-m', pid: 7, percent: 150 })
  expect([await readFile(join(folder, 'cpu.max'), 'utf8'), await readFile(join(folder, 'cgroup.procs'), 'utf8')]).toEqual(['150000 100000', '7'])
  expect(await groupOf(7, 'ringside-m', root)).toEqual({ version: 2, folder })
  expect(await groupOf(7, 'ringside-other', root)).toBeNull()
})

test('version 1 beside a unified tree without controllers, as old systems and some containers have it', async () => {
  await files({
    'proc/self/mountinfo': `${unified}31 1 0:2 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n`, 'proc/self/cgroup': '1:cpu,cpuacct:/\n0::/\n', 'sys/fs/cgroup/cpu/cgroup.procs': '', 'sys/fs/cgroup/cgroup.subtree_control': '',
  })
  const groups = await findControlGroups('linux', root)
  expect(groups).toEqual({ version: 1, parent: join(root, 'sys/fs/cgroup/cpu') })
  if (typeof groups === 'string') return
  const folder = await limitProcessorTime(groups, { name: 'ringside-m', pid: 7, percent: 25 })
  expect([await readFile(join(folder, 'cpu.cfs_period_us'), 'utf8'), await readFile(join(folder, 'cpu.cfs_quota_us'), 'utf8')]).toEqual(['100000', '25000'])
})

test('where there is none, the reason is told', async () => {
  await files({ 'proc/self/mountinfo': unified, 'proc/self/cgroup': '0::/system.slice/a.service\n', 'sys/fs/cgroup/cgroup.subtree_control': 'memory' })
  for (const reason of [await findControlGroups('linux', root), await findControlGroups('linux', join(root, 'empty')), await findControlGroups('darwin'), await findControlGroups('win32')]) expect(reason).toMatch(/^[A-Z].*\.$/iu)
})
