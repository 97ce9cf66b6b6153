import { expect, test } from 'vitest'
import type { AcceleratorReport } from '@shared/model'
import { bestOf, judgeSelfTest, knownObstacle } from './accelerators'
import type { HostFacts } from './host-facts'

const usable: HostFacts['kvm'] = { device: 'usable', processor: 'intel', moduleLoaded: true, owner: 'root', group: 'kvm', groupMayUse: true, inGroup: false }
const linux: HostFacts = { platform: 'linux', arch: 'x64', kernel: '6.1', inVirtualMachine: false, kvm: usable }
const mac: HostFacts = { ...linux, platform: 'darwin' }
const windows: HostFacts = { ...linux, platform: 'win32' }
const all = ['kvm', 'hvf', 'whpx', 'tcg']
const kvm = (changes: Partial<HostFacts['kvm']>): AcceleratorReport | null => knownObstacle('kvm', all, { ...linux, kvm: { ...usable, ...changes } })

test('nothing speaks against what only a test can tell', () => {
  expect(knownObstacle('kvm', all, linux)).toBeNull()
  expect(knownObstacle('hvf', all, mac)).toBeNull()
  expect(knownObstacle('whpx', all, windows)).toBeNull()
  for (const host of [linux, mac, windows]) expect(knownObstacle('tcg', all, host)).toBeNull()
})

test('an accelerator of another system, and of another processor', () => {
  expect(knownObstacle('hvf', all, linux)).toMatchObject({ reason: 'wrong-system', message: 'HVF belongs to macOS.', remedy: null })
  expect(knownObstacle('kvm', all, windows)).toMatchObject({ reason: 'wrong-system' })
  expect(knownObstacle('hvf', all, { ...mac, arch: 'arm64' })).toMatchObject({ reason: 'wrong-system', message: expect.stringContaining('arm64') as string })
})

test('a build without it', () => {
  expect(knownObstacle('kvm', ['tcg'], linux)).toMatchObject({ reason: 'not-built-in' })
})

test('no /dev/kvm: switched off in firmware, or the module is not loaded, or the device is hidden', () => {
  expect(kvm({ device: 'missing', processor: null })).toMatchObject({ reason: 'disabled-in-firmware', remedy: expect.stringContaining('VT-x') as string })
  expect(kvm({ device: 'missing', moduleLoaded: false })).toMatchObject({ reason: 'module-not-loaded', remedy: 'sudo modprobe kvm_intel' })
  expect(kvm({ device: 'missing', moduleLoaded: false, processor: 'amd' })).toMatchObject({ reason: 'module-not-loaded', remedy: 'sudo modprobe kvm_amd' })
  expect(kvm({ device: 'missing' })).toMatchObject({ reason: 'no-device', remedy: expect.stringContaining('--device /dev/kvm') as string })
})

test('no permission: which group to join, by the device\'s own group', () => {
  expect(kvm({ device: 'forbidden', group: 'virt' })).toMatchObject({
    reason: 'no-permission', message: expect.stringContaining('“virt”') as string, remedy: 'sudo usermod -aG virt $USER    (then log out and in again)',
  })
  expect(kvm({ device: 'forbidden', inGroup: true })).toMatchObject({ reason: 'no-permission', remedy: expect.stringContaining('log out and in again') as string })
  expect(kvm({ device: 'forbidden', groupMayUse: false, group: 'root' })).toMatchObject({ reason: 'no-permission', remedy: expect.stringContaining('chgrp kvm') as string })
})

const result = { outcome: 'failed-to-start' as const, elapsedMs: null, words: '' }

test('an answer is the only proof', () => {
  expect(judgeSelfTest('kvm', { outcome: 'answered', elapsedMs: 123, words: '' }, linux)).toMatchObject({ works: true, reason: 'ok', selfTestMs: 123, remedy: null })
  expect(judgeSelfTest('kvm', { ...result, outcome: 'never-answered' }, linux)).toMatchObject({ works: false, reason: 'guest-never-answered', selfTestMs: null })
  expect(judgeSelfTest('kvm', { ...result, outcome: 'answered-wrong' }, linux)).toMatchObject({ works: false, reason: 'guest-answered-wrong' })
  const failed = judgeSelfTest('kvm', { ...result, words: 'first\nlast words' }, { ...linux, inVirtualMachine: true })
  expect(failed).toMatchObject({ works: false, reason: 'failed-to-start', detail: 'first\nlast words', remedy: expect.stringContaining('nested virtualization') as string })
  expect(failed.message).toContain('before the self-test guest could run')
})

test.each([
  ['whpx', 'qemu-system-x86_64: WHPX: No accelerator found, hr=00000000', 'feature-off', 'DISM /Online /Enable-Feature /FeatureName:HypervisorPlatform /All'],
  ['hvf', 'qemu-system-x86_64: Error: HV_DENIED', 'no-permission', 'brew install qemu'],
  ['hvf', 'qemu-system-x86_64: -accel hvf: Error: ret = HV_UNSUPPORTED (0xfae9400f)', 'disabled-in-firmware', 'nested virtualization'],
  ['kvm', 'ioctl(KVM_CREATE_VM) failed: 16 Device or resource busy', 'failed-to-start', 'VirtualBox'],
] as const)('%s: QEMU\'s words “%s” are understood', (name, words, reason, remedy) => {
  expect(judgeSelfTest(name, { ...result, words }, linux)).toMatchObject({ reason, remedy: expect.stringContaining(remedy) as string, detail: words })
})

test('hardware before software, and nothing that is not proved', () => {
  const report = (name: AcceleratorReport['name'], works: boolean): AcceleratorReport => ({ name, works, selfTestMs: null, reason: 'ok', message: '', remedy: null, detail: '' })
  expect(bestOf([report('tcg', true), report('kvm', true)])).toBe('kvm')
  expect(bestOf([report('kvm', false), report('tcg', true)])).toBe('tcg')
  expect(bestOf([report('tcg', false)])).toBeNull()
})
