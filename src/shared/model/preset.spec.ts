import { expect, test } from 'vitest'
import content from '../../../resources/os-catalog.json'
import { MachineHardware } from './hardware'
import { OsCatalog, type OsEntry } from './os-catalog'
import { bestHardware, boardsByProperties, hasByProperties, suggestionsFor, withSuggestions } from './preset'

const catalog = OsCatalog.parse(content)
const boards = ['pc-q35-9.2', 'pc-q35-10.0', 'pc-i440fx-10.0']
const everything = (): boolean => true
function os(id: string): OsEntry {
  const found = catalog.entries.find((entry) => entry.id === id)
  if (found === undefined) throw new Error(`There is no ${id}.`)
  return found
}
const linux = MachineHardware.parse({
  osId: 'debian-12', machineType: 'pc-q35-7.2', firmware: { type: 'uefi' }, processors: { sockets: 1, cores: 2, threads: 1 }, memoryMiB: 2048, boot: { order: ['disk0'] },
  disks: [{ id: 'disk0', image: { kind: 'own', path: 'disks/disk0.qcow2' }, format: 'qcow2', bus: 'virtio-blk', serial: 'S1' }, { id: 'stick', image: { kind: 'own', path: 'disks/s.raw' }, format: 'raw', bus: 'usb' }],
  cdroms: [{ id: 'cd0', image: null, bus: 'sata' }], nics: [{ id: 'net0', model: 'virtio-net', macAddress: '52:54:00:12:34:56', backend: { type: 'user' } }], display: { model: 'virtio-vga' },
})
const paths = (osId: string, hardware = linux): string[] => suggestionsFor(os(osId), hardware, everything, boards).map(({ path }) => path)

test('a machine that is as its system likes it has nothing to better', () => {
  expect(paths('debian-12')).toEqual([])
})

test('a card that spares an emulated processor work is not held against a machine there', () => {
  const hardware = { ...linux, nics: linux.nics.map((nic) => ({ ...nic, model: 'e1000e' as const })) }
  expect(paths('debian-12', hardware)).toEqual(['nics.net0.model'])
  expect(paths('debian-12', { ...hardware, accelerator: 'tcg' })).toEqual([])
  const withoutAssistance = (path: string): boolean => path !== 'accelerator'
  expect(suggestionsFor(os('debian-12'), hardware, withoutAssistance, boards)).toEqual([])
})

test('Windows on a machine for Linux: what it needs is said unasked, what an installed system may not survive is a choice of its own', () => {
  const suggestions = suggestionsFor(os('windows-10'), linux, everything, boards)
  expect(suggestions.map(({ path, value }) => [path, value])).toEqual([
    ['osId', 'windows-10'], ['clock', 'localtime'], ['disks.disk0.bus', 'sata'], ['nics.net0.model', 'e1000e'], ['display.model', 'vga'], ['sound', { model: 'ich9-intel-hda' }], ['randomNumbers', false],
  ])
  expect(suggestions.filter(({ isNeeded }) => isNeeded).map(({ path, why }) => [path, why])).toEqual([['clock', 'Windows takes the hardware clock for local time.']])
  expect(suggestions.filter(({ caution }) => caution !== null).map(({ path }) => path)).toEqual(['disks.disk0.bus', 'nics.net0.model'])
})

test('an old system gets the board, the drives and the USB of its time', () => {
  const suggestions = suggestionsFor(os('windows-xp'), linux, everything, boards)
  expect(Object.fromEntries(suggestions.map(({ path, value }) => [path, value]))).toMatchObject({
    machineType: 'pc-i440fx-10.0', firmware: { type: 'bios' }, 'disks.disk0.bus': 'ide', 'cdroms.cd0.bus': 'ide', 'nics.net0.model': 'rtl8139', sound: { model: 'ac97' }, usbController: 'uhci', guestAgent: false,
  })
  expect(suggestions.find(({ path }) => path === 'usbController')).toMatchObject({ isNeeded: true, why: expect.stringContaining('no drivers for USB 3') as string })
  expect(suggestions.filter(({ caution }) => caution !== null).map(({ path }) => path)).toEqual(['machineType', 'firmware', 'disks.disk0.bus', 'nics.net0.model'])
})

test('a version of the same board is left as it is, and the newest is taken of another one', () => {
  expect(paths('debian-12', { ...linux, machineType: 'pc-q35-5.0' })).toEqual([])
  expect(suggestionsFor(os('debian-12'), { ...linux, machineType: 'pc-i440fx-7.2' }, everything, boards)).toMatchObject([{ path: 'machineType', value: 'pc-q35-10.0' }])
  expect(suggestionsFor(os('debian-12'), { ...linux, machineType: 'pc-i440fx-7.2' }, everything, [])).toEqual([])
})

test('what this QEMU lacks gives way, as in the wizard', () => {
  const bare = hasByProperties([{
    path: 'disks.*.bus', label: '', term: '', help: '', kind: 'choice', choices: [{ value: 'virtio-blk', label: '', obstacle: 'Not here.' }, { value: 'sata', label: '', obstacle: null }], minimum: null, maximum: null, unit: null,
    live: { possible: false, reason: '' }, obstacle: null,
  }])
  expect(bestHardware(os('debian-12'), bare).diskBus).toBe('sata')
  expect(bestHardware(os('ubuntu'), (path) => path !== 'sound.model').sound).toBeNull()
  expect(boardsByProperties([])).toEqual([])
})

test('what is of the machine’s own stays: files, serial numbers, addresses, sizes; and the whole is right by its schema', () => {
  for (const entry of catalog.entries) {
    const suggestions = suggestionsFor(entry, linux, everything, boards)
    const after = withSuggestions(linux, suggestions)
    expect(MachineHardware.parse(after), entry.id).toEqual(after)
    expect(suggestionsFor(entry, after, everything, boards), entry.id).toEqual([])
    expect({ ...after.disks[0], bus: '' }).toEqual({ ...linux.disks[0], bus: '' })
    expect([after.disks[1], after.nics[0]?.macAddress, after.memoryMiB, after.processors, after.boot]).toEqual([linux.disks[1], linux.nics[0]?.macAddress, linux.memoryMiB, linux.processors, linux.boot])
    for (const { why, caution } of suggestions) expect([why, caution ?? why]).toEqual([expect.stringMatching(/^\p{Lu}.*\.$/u), expect.stringMatching(/^\p{Lu}.*\.$/u)])
  }
})

test('a disk that is only read stays where QEMU can keep it so, and no display stays none', () => {
  const [disk] = linux.disks
  if (disk === undefined) throw new Error('no disk')
  expect(paths('windows-10', { ...linux, disks: [{ ...disk, readOnly: true }], display: { ...linux.display, model: 'none' } }).filter((path) => /^disks|^display/u.test(path))).toEqual([])
})
