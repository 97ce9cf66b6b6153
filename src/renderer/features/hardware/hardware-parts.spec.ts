import { expect, test } from 'vitest'
import { MachineHardware } from '@shared/model'
import { laterWords } from '@shared/words'
import { aDefinition } from '../../stores/spec-data'
import { bootDevices, movedInOrder, movedTo } from './boot-order'
import { changesInWords, hasGuest, laterAt, waitingInWords } from './change-words'
import { commandLines, shellCommand } from './command-lines'
import { imagePath } from './device-words'
import { allFaults, byId, faultsAt } from './hardware-faults'
import { freeId, newCdrom, newMacAddress, newNic, newSharedFolder } from './new-devices'
import { emptiedPath, firmwareOf, fromLines, valueInWords } from './property-values'
import { isShown, withoutParts } from './shown-properties'

const base = MachineHardware.parse(aDefinition(1, { cdroms: [{ id: 'cd0', image: null, bus: 'ide' }], boot: { order: ['cd0', 'gone'], menu: false, kernel: null } }))

test('a new device gets an id that is free now and at the next start, and is one that the schema takes', () => {
  expect(freeId('cd', { ...base, cdroms: [] }, base)).toBe('cd1')
  const nic = newNic(base, base, null)
  expect(MachineHardware.safeParse({ ...base, nics: [nic], cdroms: [...base.cdroms, newCdrom(base, base)] }).success).toBe(true)
  expect(newCdrom(base, base)).toEqual({ id: 'cd1', image: null, bus: 'ide' })
  expect(newMacAddress((bytes) => bytes.fill(10))).toBe('52:54:00:0a:0a:0a')
  expect(newSharedFolder({ ...base, sharedFolders: [newSharedFolder(base, base)] }, base).tag).toBe('share2')
})

test('the boot order shows what is tried first, then the rest, and names that are no device', () => {
  expect(bootDevices({ ...base, nics: [newNic(base, base, null)] }).map(({ id, label, isUsed }) => [id, label, isUsed])).toEqual([['cd0', 'CD drive', true], ['gone', 'No such device', true], ['net0', 'Network card', false]])
  expect([movedInOrder(['a', 'b', 'c'], 'c', -1), movedInOrder(['a', 'b'], 'a', -1), movedTo(['a', 'b', 'c'], 'a', 2)]).toEqual([['a', 'c', 'b'], ['a', 'b'], ['b', 'c', 'a']])
})

test('faults name devices by their ids, are said once, and errors come first', () => {
  const faults = allFaults({ ...base, memoryMiB: Number.NaN }, [{ path: 'cdroms.0.image', message: 'Old.', severity: 'warning' }, { path: 'memoryMiB', message: 'Type a number.', severity: 'error' }])
  expect(faults.map(({ path, message }) => [path, message])).toEqual([['memoryMiB', 'Type a number.'], ['cdroms.cd0.image', 'Old.']])
  expect([byId('cdroms.7.bus', base), byId('boot.order.0', base)]).toEqual(['cdroms.7.bus', 'boot.order.0'])
  expect(faultsAt('cdroms.cd0', faults)).toHaveLength(1)
})

test('what waits to be applied is told in a few words', () => {
  const at = (...when: ('now' | 'goesOn' | 'nextStart')[]) => when.map((each) => ({ when: each }))
  expect(changesInWords(3, null, true)).toBe('3 changes')
  expect(changesInWords(1, at('now', 'now', 'nextStart'), true)).toBe('3 changes: 2 at once, 1 at the next start')
  expect([changesInWords(1, at('now', 'nextStart'), hasGuest('saved'), laterWords('saved')), laterWords('paused'), hasGuest('stopped')]).toEqual(['2 changes: 1 at once, 1 after its next shut down', 'at the next start', false])
  expect(changesInWords(1, at('goesOn', 'now', 'goesOn', 'nextStart'), true, laterWords('saved'))).toBe('4 changes: 1 at once, 2 when it goes on, 1 after its next shut down')
  expect([waitingInWords(2, null, 'saved'), waitingInWords(2, at('goesOn', 'goesOn', 'nextStart'), 'saved'), waitingInWords(1, at('nextStart'), 'saved'), waitingInWords(1, null, 'running')]).toEqual([
    'Saved: 2 changes wait', 'Saved: 2 changes come when it goes on, 1 after its next shut down', 'Saved: 1 change comes after its next shut down', '1 change waits for the next start',
  ])
  const waiting = [{ path: 'disks.disk1', when: 'goesOn' as const }, { path: 'memoryMiB', when: 'nextStart' as const }]
  expect(['disks.disk1.cache', 'disks', 'disks.disk10', 'memoryMiB'].map((path) => laterAt(path, waiting, 'saved'))).toEqual(['when it goes on', 'when it goes on', 'after its next shut down', 'after its next shut down'])
  expect([changesInWords(1, at('now'), true), changesInWords(1, at('nextStart'), true), changesInWords(1, at('now'), false)]).toEqual(['1 change: at once', '1 change: at the next start', '1 change'])
})

test('values read as their fields show them', () => {
  const property = { kind: 'number', choices: [{ value: 'a', label: 'The letter', obstacle: null }], unit: 'MiB' } as const
  expect([2048, true, 'a', null, ['x', 'y'], { kind: 'own', path: 'p' }].map((value) => valueInWords(value, { ...property, choices: [...property.choices] }))).toEqual(['2 GiB', 'On', 'The letter', 'None', 'x, y', 'p'])
  expect([emptiedPath('sound.model'), emptiedPath('disks.disk0.serial'), fromLines(' a \n\nb')]).toEqual(['sound', 'disks.disk0.serial', ['a', 'b']])
  expect(firmwareOf('uefi')).toEqual({ type: 'uefi', secureBoot: false, nvram: 'firmware/nvram.qcow2' })
})

test('settings of one part are one field, and settings that mean nothing are not shown', () => {
  const property = { path: '', label: '', term: '', help: '', kind: 'text', choices: [], minimum: null, maximum: null, unit: null, live: { possible: true, reason: null }, obstacle: null } as const
  const placed = ['boot.kernel.kernel', 'boot.kernel.commandLine', 'boot.menu', 'disks.disk0.limits.bytesPerSecond'].map((path) => ({ path, property: { ...property, choices: [] } }))
  expect(withoutParts(placed).map(({ path }) => path)).toEqual(['boot.kernel', 'boot.menu', 'disks.disk0.limits'])
  expect(['firmware.secureBoot', 'watchdog.action', 'memoryMiB'].map((path) => isShown(path, base))).toEqual([false, false, true])
})

test('own images lie in the folder of the machine, with the separators of its system', () => {
  expect(imagePath('C:\\lib\\a\\', { kind: 'own', path: 'disks/d.qcow2' })).toBe('C:\\lib\\a\\disks\\d.qcow2')
  expect(imagePath('/lib/a', { kind: 'external', path: '/iso/a.iso' })).toBe('/iso/a.iso')
})

test('the command line is one option a line and safe to paste', () => {
  expect(commandLines(['/usr/bin/qemu', '-nodefaults', '-name', 'guest=it’s', '-m', '64M'])).toEqual(['/usr/bin/qemu', '-nodefaults', "-name 'guest=it’s'", '-m 64M'])
  expect(shellCommand(['q', '-append', "a 'b'"])).toBe("q \\\n  -append 'a '\\''b'\\'''")
})
