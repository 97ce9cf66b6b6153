import { expect } from 'vitest'
import type { MachineHardware } from '@shared/model'
import { linuxMachine, storedHardware } from './linux-machines'
import type { OpenLibrary } from './open-library'
import type { NewMachine } from './real-host'

/* Devices of the machine itself, which come and go while its guest runs. */

export const none = { balloon: false, randomNumbers: false, guestAgent: false, clipboard: false }

/** Whether the guest has a device with that driver, for its shell. */
export const driven = (driver: string): string => `[ -n "$(ls -d /sys/bus/virtio/drivers/${driver}/virtio* 2>/dev/null)" ]`

/** Whether the guest has a channel with that name. */
export const channelNamed = (name: string): string => `grep -q ${name} /sys/class/virtio-ports/*/name 2>/dev/null`

/** A Linux with none of them. */
export async function bareLinux(more: NewMachine['definition'] = {}): Promise<NewMachine> {
  const linux = await linuxMachine()
  return { ...linux, definition: { ...linux.definition, memoryMiB: 192, ...none, ...more } }
}

/** Changes what is stored, and expects that all of it is so at once. */
export async function change(open: Pick<OpenLibrary, 'calls'>, id: string, wanted: Partial<MachineHardware>): Promise<void> {
  const before = storedHardware(await open.calls.machines.get(id))
  const differences = await open.calls.hardware.change(id, { ...before, ...wanted }, before)
  expect(differences.map(({ path, when, reason }) => [path, when, reason])).toEqual(differences.map(({ path }) => [path, 'now', null]))
  expect(await open.calls.machines.get(id)).toMatchObject({ definition: wanted, next: null })
}
