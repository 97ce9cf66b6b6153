import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import type { MachineDefinition } from '@shared/model'
import { listPciDevices } from '../../../host-devices'
import { vsockPath } from '../limits/surroundings'

/** Throws `CAPABILITY_MISSING` where the kernel has no sockets for guests. */
export async function checkVsock({ vsock }: Pick<MachineDefinition, 'vsock'>): Promise<void> {
  if (vsock === null || process.platform !== 'linux') return
  await access(vsockPath, constants.R_OK | constants.W_OK).catch((cause: unknown) => {
    throw new RingsideError('CAPABILITY_MISSING', `The machine has sockets to the host (vsock), and this computer’s kernel offers none to you: ${vsockPath}`, {
      path: vsockPath, hint: 'Run “sudo modprobe vhost_vsock”, or switch them off in the machine’s hardware.',
    }, { cause })
  })
}

/** Throws `CAPABILITY_MISSING` with the first device that can’t be passed on now: QEMU would end with the kernel’s bare error. */
export async function checkPassedDevices({ pciDevices }: Pick<MachineDefinition, 'pciDevices'>): Promise<void> {
  if (pciDevices.length === 0) return
  const { pci, pciProblem } = await listPciDevices()
  for (const { address, name } of pciDevices) {
    const found = pci.find((device) => device.address === address)
    const obstacle = pciProblem ?? (found === undefined ? { message: 'This computer has it no more.', remedy: 'Take it out of the machine’s hardware.' } : found.obstacle)
    if (obstacle !== null) throw new RingsideError('CAPABILITY_MISSING', `“${name || address}” can’t be passed on to the guest. ${obstacle.message}`, obstacle.remedy === null ? {} : { hint: obstacle.remedy })
  }
}
