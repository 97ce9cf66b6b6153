import { expect, test } from 'vitest'
import { DisplayModel, MainDiskBus, NicModel, type OsEntry, type ProbeReport } from '@shared/model'
import { hardwareFields } from './hardware-choices'

const probe = {
  bestAccelerator: 'tcg',
  accelerators: [
    { name: 'kvm', works: false, message: 'There is no /dev/kvm.', reason: 'no-device', selfTestMs: null },
    { name: 'tcg', works: true, message: 'ok', reason: 'ok', selfTestMs: 412.4 },
    { name: 'hvf', works: false, message: 'Part of macOS.', reason: 'wrong-system', selfTestMs: null },
  ],
  qemu: { devices: ['virtio-blk-pci', 'e1000e', 'VGA'], firmware: [], cpuModels: [{ name: 'max', deprecated: false, unavailableFeatures: [] }] },
} as unknown as ProbeReport
const os = { defaults: { firmware: 'bios', diskBus: 'sata', nicModel: 'e1000e', display: 'vga' } } as OsEntry
const choice = (key: string, value: string) => hardwareFields(os, probe).find((field) => field.key === key)?.choices.find((of) => of.value === value)

test('every device of the model can be chosen', () => {
  const values = (key: string): string[] => (hardwareFields(null, null).find((field) => field.key === key)?.choices ?? []).map((of) => of.value).sort()
  expect(values('diskBus')).toEqual([...MainDiskBus.options].sort())
  expect(values('nicModel')).toEqual([...NicModel.options].sort())
  expect(values('display')).toEqual([...DisplayModel.options].sort())
})

test('what this QEMU lacks is refused with the reason, what it has is not', () => {
  expect(choice('diskBus', 'virtio-blk')?.whyNot).toBeNull()
  expect(choice('diskBus', 'nvme')?.whyNot).toBe('This QEMU was built without nvme.')
  expect(choice('display', 'vga')?.whyNot).toBeNull()
  expect(choice('display', 'none')?.whyNot).toBeNull()
  expect(choice('firmware', 'uefi')?.whyNot).toMatch(/ovmf/u)
})

test('accelerators show their proof, and those of other systems are left out', () => {
  expect(choice('accelerator', 'tcg')).toMatchObject({ whyNot: null, explains: 'Works: a self-test guest ran in 412 ms' })
  expect(choice('accelerator', 'kvm')?.whyNot).toBe('There is no /dev/kvm.')
  expect(choice('accelerator', 'hvf')).toBeUndefined()
})

test('what is used otherwise is named', () => {
  expect(Object.fromEntries(hardwareFields(os, probe).map((field) => [field.key, field.usual]))).toEqual({
    accelerator: 'Best that works: TCG (software emulation)', cpuModel: 'All that can be emulated (max)', firmware: 'Best for the system: BIOS', secureBoot: 'Best for the system: Off', tpm: 'Best for the system: Off',
    diskBus: 'Best for the system: SATA (AHCI)', nicModel: 'Best for the system: Intel 82574L (e1000e)', display: 'Best for the system: Standard VGA',
  })
})

test('a card that spares an emulated processor work is usual where the system comes from its own medium', () => {
  const debian = { defaults: { ...os.defaults, nicModel: 'virtio-net', emulatedNicModel: 'e1000e' } } as OsEntry
  const card = (request: Parameters<typeof hardwareFields>[2]): string | undefined => hardwareFields(debian, probe, request).find(({ key }) => key === 'nicModel')?.usual
  expect(card({ source: { type: 'cdrom', path: '/debian.iso' }, hardware: {} })).toBe('Best for the system: Intel 82574L (e1000e)')
  expect(card({ source: { type: 'cdrom', path: '/debian.iso' }, hardware: { accelerator: 'kvm' } })).toBe('Best for the system: VirtIO')
  expect(card({ source: { type: 'disk', path: '/cloud.qcow2', format: 'qcow2', mode: 'copy' }, hardware: {} })).toBe('Best for the system: VirtIO')
})
