import type { Nic } from '@shared/model'
import { nicDevice, spareNetworkId, spareNetworks } from '../argv'
import { QmpCommandError, type QmpClient } from '../qmp'
import { setLink } from './first-settings'
import { explained, type LiveMachine, placeOf, requireNoDevice } from './live-devices'

export async function plugNic({ qmp, plan, definition }: LiveMachine, nic: Nic): Promise<void> {
  await requireNoDevice(qmp, nic.id)
  const slot = nic.slot ?? 0
  try {
    await provideNetworks(qmp, slot)
    await qmp.execute('device_add', nicDevice(nic, spareNetworkId(slot), definition.boot.order, placeOf(plan, definition, slot)))
    if (!nic.linkUp) await setLink(qmp, nic.id, false)
  } catch (error) {
    throw explained(error, `The network card “${nic.id}” can’t be plugged in`)
  }
}

/** Makes the networks of the spare ports up to `slot` that are not there yet. See {@link spareNetworks}. */
export async function provideNetworks(qmp: QmpClient, slot: number): Promise<void> {
  for (const network of spareNetworks(slot)) {
    await qmp.execute('netdev_add', network).catch((error: unknown) => {
      if (!(error instanceof QmpCommandError) || !/duplicate/iu.test(error.description)) throw error
    })
  }
}
