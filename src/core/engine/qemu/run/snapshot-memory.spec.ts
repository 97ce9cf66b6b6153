import { expect, test } from 'vitest'
import { FakeQmp, refuse } from './fake-qmp.fixture'
import { chooseMemoryMeans } from './snapshot-memory'

const qemu = { version: '7.2.22', features: { backgroundSnapshot: true, multifd: true } }
const question = { qemu, accelerator: 'kvm' as const, paused: false, platform: 'linux' as const }

test('while the guest goes on, where the kernel can; the question changes nothing', async () => {
  const qmp = new FakeQmp()
  expect(await chooseMemoryMeans(qmp.client, question)).toEqual({ method: 'live', reason: null })
  expect(qmp.sent.slice(1).map(({ parameters }) => parameters)).toEqual([
    { capabilities: [{ capability: 'background-snapshot', state: true }, { capability: 'multifd', state: false }] },
    { capabilities: [{ capability: 'background-snapshot', state: false }, { capability: 'multifd', state: false }] },
  ])
})

test.each([
  ['a kernel that refuses', { 'migrate-set-capabilities': () => refuse('migrate-set-capabilities', 'Background-snapshot is not supported by host kernel') }, question, 'paused', /does not let QEMU follow/u],
  ['memory that can’t be followed', { 'migrate-set-capabilities': () => refuse('migrate-set-capabilities', 'Background-snapshot is not compatible with guest memory configuration') }, question, 'paused', /guest memory configuration/u],
  ['another system than Linux', { 'migrate-set-capabilities': () => refuse('migrate-set-capabilities', 'Background-snapshot is not supported by host kernel') }, { ...question, platform: 'darwin' as const }, 'paused', /only Linux/u],
  ['a QEMU that knows nothing of it', {}, { ...question, qemu: { ...qemu, features: {} } }, 'paused', /QEMU 7\.2\.22 can't follow/u],
  ['a device in the way', { 'query-migrate': () => ({ 'blocked-reasons': ['non-migratable device: 0000:00:03.0/nvme', 'The vdagent chardev doesn\'t yet support migration'] }) }, question, 'none', /nvme\.$/u],
  ['WHPX, which QEMU says itself', { 'query-migrate': () => ({ 'blocked-reasons': ['State blocked due to non-migratable CPUID feature support'] }) }, { ...question, accelerator: 'whpx' as const, platform: 'win32' as const, qemu: { ...qemu, features: { fileMigration: true } } }, 'none', /non-migratable CPUID/u],
  ['Windows with a QEMU that can’t write files', {}, { ...question, platform: 'win32' as const }, 'none', /QEMU 8\.2/u],
  ['HVF', {}, { ...question, accelerator: 'hvf' as const, platform: 'darwin' as const }, 'none', /HVF/u],
] as const)('%s: the next best, and why', async (_, answers, asked, method, words) => {
  const means = await chooseMemoryMeans(new FakeQmp(answers).client, asked)
  expect(means.method).toBe(method)
  expect(means.reason).toMatch(words)
})

test('the clipboard’s channel is no obstacle, and of a guest that is paused there is nothing to say', async () => {
  const qmp = new FakeQmp({ 'query-migrate': () => ({ 'blocked-reasons': ['The vdagent chardev doesn\'t yet support migration'] }) })
  expect(await chooseMemoryMeans(qmp.client, question)).toEqual({ method: 'live', reason: null })
  expect(await chooseMemoryMeans(qmp.client, { ...question, paused: true })).toEqual({ method: 'paused', reason: null })
})
