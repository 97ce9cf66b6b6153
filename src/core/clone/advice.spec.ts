import { expect, test } from 'vitest'
import { loadCatalog } from '../catalog'
import { adviceFor } from './advice'

const catalog = loadCatalog()
const origin = { kind: 'full' as const, machineId: '11111111-1111-4111-8111-111111111111', machineName: 'web', snapshotId: null }

test('each system has an identity of its own kind on its disk', () => {
  expect(adviceFor({ warm: false }, { osId: 'debian-12', origin }, catalog)).toEqual([expect.stringMatching(/machine id.*“web”.*systemd-machine-id-setup/u)])
  const windows = catalog.entries.find(({ family }) => family === 'windows')
  expect(adviceFor({ warm: false }, { osId: windows?.id ?? '', origin }, catalog)).toEqual([expect.stringMatching(/“web”.*sysprep/u)])
  for (const osId of ['other', 'never-heard-of']) expect(adviceFor({ warm: false }, { osId, origin }, catalog)).toEqual([])
})

test('a warm clone has more of its original than its disk', () => {
  expect(adviceFor({ warm: true }, { osId: 'debian-12', origin }, catalog)).toEqual([expect.stringMatching(/memory of “web”.*until it is started cold/u), expect.stringContaining('machine id')])
})
