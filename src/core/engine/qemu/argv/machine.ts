import type { ArgvInput } from './input'
import type { ArgumentList } from './argument-list'
import { boardOf, isWindowsGuest } from './board'
import { acceleratorArguments, addPluggedProcessors, cpuArguments } from './cpu'
import { addMemory, memoryId } from './memory'
import { pflashMachineOptions, type ChosenFirmware } from './firmware'
import { option, options } from './options'

/** The board itself: type, accelerator, processors, memory, clock. */
export function addMachine(list: ArgumentList, input: ArgvInput, firmware: ChosenFirmware | null): void {
  const { definition, accelerator, platform } = input
  const { pcie } = boardOf(definition.machineType)
  list.add('-name', options(option('guest', definition.name), platform === 'win32' ? null : 'debug-threads=on'))
  list.add('-uuid', definition.id)
  list.add('-machine', options(
    option('type', definition.machineType),
    option('memory-backend', memoryId),
    'usb=off',
    // VMware's back door would offer the guest a second, jumpy mouse.
    'vmport=off',
    'dump-guest-core=off',
    // With a Hyper-V or KVM clock the HPET only costs wake-ups, and Windows would prefer it.
    accelerator === 'kvm' ? 'hpet=off' : null,
    ...pflashMachineOptions(firmware),
  ))
  list.add(...acceleratorArguments(accelerator), ...cpuArguments(definition, accelerator))
  addPluggedProcessors(list, definition, accelerator)
  addMemory(list, input)
  addClock(list, input)
  // Guests seldom wake from a sleep that has no host to wake them, and their display adapters do not survive it.
  const power = pcie ? 'ICH9-LPC' : 'PIIX4_PM'
  list.add('-global', `${power}.disable_s3=1`, '-global', `${power}.disable_s4=1`)
}

function addClock(list: ArgumentList, { definition, accelerator }: ArgvInput): void {
  // Windows counts timer ticks: those that a busy host missed are made up for.
  list.add('-rtc', options(option('base', definition.clock), isWindowsGuest(definition) ? 'driftfix=slew' : null))
  if (accelerator === 'kvm') list.add('-global', 'kvm-pit.lost_tick_policy=delay')
}
