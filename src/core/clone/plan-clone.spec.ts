import { expect, test } from 'vitest'
import type { z } from 'zod'
import { type Disk, MachineDefinition, type MachineOrigin, machineSchemaVersion } from '@shared/model'
import { type CloneBlueprint, ownAddresses, planClone, warmDefinition } from './plan-clone'

const originalId = '11111111-1111-4111-8111-111111111111'
const snapshotId = '22222222-2222-4222-8222-222222222222'
const cloneId = '33333333-3333-4333-8333-333333333333'
const folder = '/library/web-11111111'

type Changes = Partial<z.input<typeof MachineDefinition>>

function definitionOf(changes: Changes = {}): MachineDefinition {
  return MachineDefinition.parse({
    schemaVersion: machineSchemaVersion, createdBy: 'ringside 0.1.0', id: originalId, name: 'web', notes: 'the shop', createdAt: '2026-01-01T00:00:00.000Z', osId: 'debian-12',
    machineType: 'pc-q35-7.2', firmware: { type: 'uefi', nvram: 'firmware/nvram.1234abcd.qcow2' }, processors: { sockets: 1, cores: 2, threads: 1 }, memoryMiB: 1024,
    boot: { order: ['disk0'] },
    disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.1234abcd.qcow2' }, format: 'qcow2', bus: 'virtio-blk' }],
    nics: [
      { id: 'nic0', model: 'virtio-net', macAddress: '52:54:00:00:00:01', backend: { type: 'user' } },
      { id: 'nic1', model: 'e1000', macAddress: '52:54:00:00:00:02', backend: { type: 'user' } },
    ],
    display: { model: 'vga' }, snapshotParentId: snapshotId, template: true, snapshotPolicy: { every: 'day', keep: { hourly: 0, daily: 7, weekly: 0 } }, ...changes,
  })
}

function blueprint(kind: MachineOrigin['kind'], changes: Changes = {}): CloneBlueprint {
  return {
    source: definitionOf(changes), folder,
    identity: { id: cloneId, name: 'staging', createdAt: '2026-11-25T00:00:00.000Z', createdBy: 'ringside 0.2.0', macAddresses: ['52:54:00:aa:aa:aa', '52:54:00:bb:bb:bb'] },
    origin: { kind, machineId: originalId, machineName: 'web', snapshotId },
  }
}

test('a clone is the same machine with another identity and no past', () => {
  const { definition } = planClone(blueprint('full'))
  expect(MachineDefinition.parse(definition)).toEqual(definition)
  expect(definition).toEqual({
    ...definitionOf(), id: cloneId, name: 'staging', createdAt: '2026-11-25T00:00:00.000Z', createdBy: 'ringside 0.2.0', snapshotParentId: null, template: false, snapshotPolicy: null,
    origin: { kind: 'full', machineId: originalId, machineName: 'web', snapshotId },
    disks: [{ ...definitionOf().disks[0], image: { kind: 'own', path: 'disks/disk0.qcow2' } }],
    firmware: { type: 'uefi', secureBoot: false, nvram: 'firmware/nvram.qcow2' },
    nics: [{ ...definitionOf().nics[0], macAddress: '52:54:00:aa:aa:aa' }, { ...definitionOf().nics[1], macAddress: '52:54:00:bb:bb:bb' }],
  })
})

test('full: every disk is written out, from wherever it lies; what is only read elsewhere stays there', () => {
  const plan = planClone(blueprint('full', {
    firmware: { type: 'bios' },
    disks: [
      { id: 'system', image: { kind: 'own', path: 'disks/system.raw' }, format: 'raw', bus: 'sata' },
      { id: 'data', image: { kind: 'external', path: '/data/data.vmdk' }, format: 'vmdk', bus: 'sata' },
      { id: 'tools', image: { kind: 'external', path: '/data/tools.img' }, format: 'raw', bus: 'sata', readOnly: true },
      { id: 'help', image: { kind: 'own', path: 'disks/help.qcow2' }, format: 'qcow2', bus: 'sata', readOnly: true },
    ],
  }))
  expect(plan.overlays).toEqual([])
  expect(plan.copies).toEqual([
    { key: 'system', label: 'disk “system”', from: `${folder}/disks/system.raw`, format: 'raw', encrypted: false, encryption: 'keep', to: 'disks/system.qcow2' },
    { key: 'data', label: 'disk “data”', from: '/data/data.vmdk', format: 'vmdk', encrypted: false, encryption: 'keep', to: 'disks/data.qcow2' },
    { key: 'help', label: 'disk “help”', from: `${folder}/disks/help.qcow2`, format: 'qcow2', encrypted: false, encryption: 'keep', to: 'disks/help.qcow2' },
  ])
  expect(plan.definition.disks).toMatchObject([
    { id: 'system', image: { kind: 'own', path: 'disks/system.qcow2' }, format: 'qcow2', readOnly: false },
    { id: 'data', image: { kind: 'own', path: 'disks/data.qcow2' }, format: 'qcow2', readOnly: false },
    { id: 'tools', image: { kind: 'external', path: '/data/tools.img' }, format: 'raw', readOnly: true },
    { id: 'help', image: { kind: 'own', path: 'disks/help.qcow2' }, format: 'qcow2', readOnly: true },
  ])
})

test('the disks of a full clone are encrypted with its own key or plain, where that is wanted; what is only read elsewhere stays as it is', () => {
  const disks: z.input<typeof Disk>[] = [
    { id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'virtio-blk', encrypted: true },
    { id: 'tools', image: { kind: 'external', path: '/data/tools.img' }, format: 'raw', bus: 'sata', readOnly: true },
  ]
  for (const [encryption, encrypted] of [['new', true], ['none', false], [undefined, true]] as const) {
    const plan = planClone({ ...blueprint('full', { disks }), encryption })
    expect(plan.definition.disks.map((disk) => disk.encrypted)).toEqual([encrypted, false])
    expect(plan.copies.map((copy) => copy.encryption)).toEqual([encryption ?? 'keep', 'keep'])
    expect(warmDefinition(definitionOf({ disks: disks.slice(0, 1) }), plan.definition).disks[0]?.encrypted).toBe(encrypted)
  }
  expect(() => planClone({ ...blueprint('full', { disks: disks.slice(1) }), encryption: 'new' })).toThrow(expect.objectContaining({ code: 'INVALID_INPUT' }))
})

test('linked: layers upon what the original has, and the small variables of its own', () => {
  const plan = planClone(blueprint('linked', {
    disks: [
      { id: 'disk0', image: { kind: 'own', path: 'disks/disk0.1234abcd.qcow2' }, format: 'qcow2', bus: 'virtio-blk' },
      { id: 'disk1', image: { kind: 'own', path: 'disks/disk1.raw' }, format: 'raw', bus: 'virtio-blk' },
      { id: 'help', image: { kind: 'own', path: 'disks/help.raw' }, format: 'raw', bus: 'sata', readOnly: true },
      { id: 'old', image: { kind: 'own', path: 'disks/old.vdi' }, format: 'vdi', bus: 'sata', readOnly: true },
      { id: 'tools', image: { kind: 'external', path: '/data/tools.img' }, format: 'raw', bus: 'sata', readOnly: true },
    ],
  }))
  expect(plan.overlays.map(({ key, from, format, to }) => [key, from, format, to])).toEqual([
    ['disk0', `${folder}/disks/disk0.1234abcd.qcow2`, 'qcow2', 'disks/disk0.qcow2'],
    ['disk1', `${folder}/disks/disk1.raw`, 'raw', 'disks/disk1.qcow2'],
    ['help', `${folder}/disks/help.raw`, 'raw', 'disks/help.qcow2'],
  ])
  expect(plan.copies.map(({ key, from, to }) => [key, from, to])).toEqual([
    ['old', `${folder}/disks/old.vdi`, 'disks/old.qcow2'],
    ['nvram', `${folder}/firmware/nvram.1234abcd.qcow2`, 'firmware/nvram.qcow2'],
  ])
  expect(plan.definition.disks[4]).toMatchObject({ image: { kind: 'external' }, format: 'raw' })
})

test('a linked clone stands on no disk that others may change, nor on a foreign format', () => {
  const external: z.input<typeof Disk> = { id: 'data', image: { kind: 'external', path: '/data/data.qcow2' }, format: 'qcow2', bus: 'sata' }
  expect(() => planClone(blueprint('linked', { disks: [external] }))).toThrow(expect.objectContaining({ code: 'IMAGE_UNSUPPORTED', message: expect.stringContaining('“data” lies outside') as string, data: expect.objectContaining({ path: '/data/data.qcow2' }) as object }))
  const foreign: z.input<typeof Disk> = { id: 'data', image: { kind: 'own', path: 'disks/data.vmdk' }, format: 'vmdk', bus: 'sata' }
  expect(() => planClone(blueprint('linked', { disks: [foreign] }))).toThrow(/is a vmdk image/u)
})

test('own CD images, kernels and initial ramdisks come along once each, others stay where they are', () => {
  const iso = { kind: 'own' as const, path: 'media/setup.iso' }
  const plan = planClone(blueprint('linked', {
    cdroms: [{ id: 'cd0', image: iso, bus: 'sata' }, { id: 'cd1', image: iso, bus: 'sata' }, { id: 'cd2', image: null, bus: 'sata' }, { id: 'cd3', image: { kind: 'external', path: '/iso/live.iso' }, bus: 'sata' }],
    boot: { order: [], kernel: { kernel: { kind: 'own', path: 'boot/vmlinuz' }, initrd: { kind: 'external', path: '/boot/initrd' }, commandLine: 'quiet' } },
  }))
  expect(plan.files).toEqual([{ from: `${folder}/media/setup.iso`, to: 'media/setup.iso' }, { from: `${folder}/boot/vmlinuz`, to: 'boot/vmlinuz' }])
  expect(plan.definition.cdroms).toEqual(definitionOf({ cdroms: [{ id: 'cd0', image: iso, bus: 'sata' }, { id: 'cd1', image: iso, bus: 'sata' }, { id: 'cd2', image: null, bus: 'sata' }, { id: 'cd3', image: { kind: 'external', path: '/iso/live.iso' }, bus: 'sata' }] }).cdroms)
})

test('a warm clone has the hardware of its memory on its own images, and the addresses that its guest knows', () => {
  const clone = planClone(blueprint('linked')).definition
  const running = definitionOf({ memoryMiB: 512, disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.1234abcd.qcow2' }, format: 'qcow2', bus: 'virtio-blk', cache: 'writeback' }] })
  const warm = warmDefinition(running, clone)
  expect(MachineDefinition.parse(warm)).toEqual(warm)
  expect(warm).toMatchObject({
    id: cloneId, name: 'staging', memoryMiB: 512, template: false, snapshotParentId: null, snapshotPolicy: null, origin: clone.origin,
    disks: [{ image: { kind: 'own', path: 'disks/disk0.qcow2' }, cache: 'writeback' }], firmware: { nvram: 'firmware/nvram.qcow2' },
    nics: [{ macAddress: '52:54:00:00:00:01' }, { macAddress: '52:54:00:00:00:02' }],
  })
  expect(ownAddresses(running, clone)).toEqual(Object.fromEntries(clone.nics.map(({ id, macAddress }) => [id, macAddress])))
  expect(ownAddresses(clone, clone)).toEqual({})
  expect(() => warmDefinition(definitionOf({ disks: [{ id: 'other', image: { kind: 'own', path: 'disks/x' }, format: 'raw', bus: 'sata' }] }), clone)).toThrow(/other/u)
})

test('a clone gets a TPM of its own, with all that the original’s holds; its guest’s memory goes on with that one', () => {
  const { definition, tpm } = planClone(blueprint('linked', { tpm: { state: `snapshots/${snapshotId}/tpm/1f2e3d4c` } }))
  expect(tpm).toEqual({ from: `${folder}/snapshots/${snapshotId}/tpm/1f2e3d4c`, to: 'tpm/1f2e3d4c' })
  expect(definition.tpm).toEqual({ version: '2.0', model: 'tpm-crb', state: 'tpm/1f2e3d4c' })
  expect(warmDefinition(definitionOf({ tpm: { state: 'tpm/1f2e3d4c.00000000' } }), definition).tpm?.state).toBe('tpm/1f2e3d4c')
  expect(planClone(blueprint('full')).tpm).toBeNull()
})
