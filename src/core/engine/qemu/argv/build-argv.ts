import { RingsideError } from '@shared/errors'
import { processorCount } from '@shared/model'
import { nvramLayer } from '../../engine'
import type { JsonObject } from '../qmp/qmp-types'
import { ArgumentList } from './argument-list'
import { boardOf } from './board'
import { addChannels, addSerialPorts } from './channels'
import { addPluggedDisks, addStorage } from './disks'
import { addDiskKey } from './disk-key'
import { addDisplay } from './display'
import { addBalloon, addPanicDevice, addPassedDevices, addPluggedPassedDevices, addPluggedVsock, addRandomNumbers, addSound, addUsb, addVsock, addWatchdog } from './extras'
import { addBoot, addFirmware, chooseFirmware } from './firmware'
import { addPluggedFolders, addSharedFolders } from './folders'
import type { ArgvInput, BuiltArgv, ImageFacts } from './input'
import { addMachine } from './machine'
import { addPluggableMemory } from './memory'
import { addNics, addPluggedNics } from './network'
import { PciBus } from './pci'
import { addRawArguments } from './raw-arguments'
import { addSupervision } from './supervision'
import { addTpm } from './tpm'

/**
 * QEMU's command line for a machine. Pure: the same input gives the same arguments, on every host, and what the guest can see of
 * them depends on the definition and the accelerator alone, so that saved state fits when QEMU or the host was updated.
 * Throws `CAPABILITY_MISSING` for what this QEMU has not, `INVALID_INPUT` for what no QEMU can do.
 */
export function buildArgv(input: ArgvInput): BuiltArgv {
  const { definition, qemu } = input
  checkIds(input)
  checkBoard(input)
  const list = new ArgumentList()
  const firmware = chooseFirmware(definition.firmware, qemu.firmware)
  addSupervision(list, input)
  addMachine(list, input, firmware)
  addFirmware(list, input, firmware)
  addBoot(list, input)
  addDiskKey(list, input)
  const pci = addDevices(list, input)
  addPluggedNics(list, pci, definition)
  addPluggedDisks(list, pci, input)
  addPluggedFolders(list, pci, input)
  addPluggedVsock(list, pci, input)
  addPluggedPassedDevices(list, pci, input)
  if (input.incoming) list.add('-incoming', 'defer')
  checkDrivers(list, input)
  addRawArguments(list, definition)
  return { argv: list.argv, notes: list.notes }
}

/** Everything that has its place by the order of devices, which is that in which they came to Ringside: what is new goes behind, so that a machine keeps its board. */
function addDevices(list: ArgumentList, input: ArgvInput): PciBus {
  const { definition } = input
  const pci = new PciBus(list, boardOf(definition.machineType))
  addDisplay(list, pci, input)
  addUsb(list, pci, definition)
  addSerialPorts(list, input)
  addChannels(list, pci, input)
  addBalloon(list, pci, definition)
  addRandomNumbers(list, pci, definition)
  addNics(list, pci, definition)
  addStorage(list, pci, input)
  addPluggableMemory(list, pci, input)
  addSound(list, pci, input)
  addWatchdog(list, pci, definition)
  addPanicDevice(list, definition)
  addVsock(list, pci, input)
  addSharedFolders(list, pci, input)
  addTpm(list, input)
  addPassedDevices(list, pci, input)
  pci.addSparePorts()
  return pci
}

/** The place of a spare port of a machine that runs, as `device_add` takes it. Throws `INVALID_INPUT` for a port that the board has not. */
export function placeOfSlot(input: Pick<ArgvInput, 'definition' | 'platform' | 'qemu'>, slot: number): JsonObject {
  const { disks, cdroms } = input.definition
  const nowhere = { kind: 'unix', path: '' } as const
  const images = Object.fromEntries([...disks, ...cdroms].map(({ id }) => [id, { path: '', driver: 'file', directIo: false, backing: [] } satisfies ImageFacts]))
  // Where devices are follows from the definition alone; the files behind them play no part.
  return addDevices(new ArgumentList(), {
    // What is refused elsewhere has its place all the same.
    ...input, accelerator: input.definition.pciDevices.length > 0 ? 'kvm' : 'tcg', images, nvram: null, kernel: null, files: { pid: '', serialLogs: [], tlsFolder: null, diskKey: '', spareShare: '' },
    endpoints: { qmp: nowhere, debugMonitor: null, agent: null, serial: [], graphics: nowhere, tpm: '' }, virtiofs: {}, audioDriver: 'none', incoming: false,
  }).sparePlace(slot)
}

/** Ids of devices share one name space in QEMU; those that Ringside adds start with `sys-`. */
function checkIds({ definition }: ArgvInput): void {
  const seen = new Set<string>()
  for (const { id } of [...definition.disks, ...definition.cdroms, ...definition.nics, ...definition.usbDevices, ...definition.sharedFolders, ...definition.pciDevices]) {
    if (seen.has(id)) throw new RingsideError('INVALID_INPUT', `Two devices of the machine have the id “${id}”; each needs its own.`)
    if (id === nvramLayer) throw new RingsideError('INVALID_INPUT', `The device id “${id}” is not free: the store of UEFI variables has it.`)
    if (id.startsWith('sys-')) throw new RingsideError('INVALID_INPUT', `The device id “${id}” is not free: ids that start with “sys-” are Ringside's own.`)
    seen.add(id)
  }
}

function checkBoard({ definition, qemu }: ArgvInput): void {
  const { machineType } = definition
  const type = qemu.machineTypes.find((known) => known.name === machineType || known.alias === machineType)
  if (type === undefined) {
    throw new RingsideError('CAPABILITY_MISSING', `The machine's board “${machineType}” is not known to QEMU ${qemu.version}.`, {
      hint: 'Install the QEMU version that the machine was made with, or a newer one.',
    })
  }
  const { maximum, plugged } = definition.processors
  const count = maximum ?? processorCount(definition.processors)
  if (plugged > 0 && (maximum === null || processorCount(definition.processors) > maximum)) {
    throw new RingsideError('INVALID_INPUT', `The machine has ${String(processorCount(definition.processors))} processors with those that were put in, and may have ${String(maximum ?? processorCount({ ...definition.processors, plugged: 0 }))} at most.`)
  }
  if (count > type.maxCpus) {
    throw new RingsideError('INVALID_INPUT', `The machine has ${String(count)} processors, and its board “${machineType}” takes at most ${String(type.maxCpus)}.`)
  }
}

function checkDrivers(list: ArgumentList, { qemu }: ArgvInput): void {
  const missing = [...list.drivers].filter((driver) => !qemu.devices.includes(driver))
  if (missing.length === 0) return
  throw new RingsideError('CAPABILITY_MISSING', `QEMU ${qemu.version} on this computer was built without ${missing.join(', ')}, which the machine has.`, {
    hint: 'Install the full QEMU package of your system (its display and device modules may be packages of their own), or change the machine.',
  })
}
