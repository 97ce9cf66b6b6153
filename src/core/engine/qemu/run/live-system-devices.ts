import { RingsideError } from '@shared/errors'
import type { MachineDefinition, Watchdog } from '@shared/model'
import { capitalised } from '@shared/words'
import { hasChannels } from '../../empty-places'
import { isChannel, SystemPart, withChannels, withLiveChange } from '../../live-change'
import { agentChardev, agentPort, agentPortId, balloonDevice, balloonId, boardOf, channelsDevice, channelsId, randomDevice, randomNumbersId, randomSource, systemPlace } from '../argv'
import { listenBackend } from '../endpoint'
import { QmpCommandError, type QmpClient } from '../qmp'
import { addClipboardChannel, clipboardChardev, clipboardLabel, clipboardObstacle, clipboardPortId, wantsClipboard } from './clipboard-channel'
import { setMemoryTarget } from './first-settings'
import { explained, hasDevice, type LiveMachine, removeChardev, removePort, requireNoDevice, unplug } from './live-devices'

/** Their ids in QEMU, and what people know them by. */
const parts: Readonly<Record<SystemPart, { id: string; label: string }>> = {
  balloon: { id: balloonId, label: 'the memory balloon' },
  randomNumbers: { id: randomNumbersId, label: 'the device for random numbers' },
  guestAgent: { id: agentPortId, label: 'the channel of the guest agent' },
  clipboard: { id: clipboardPortId, label: clipboardLabel },
}

export function idOfPart(part: SystemPart): string {
  return parts[part].id
}

/** The part of a machine that QEMU has this device for; null: it is something else. */
export function partWithId(id: string): SystemPart | null {
  return SystemPart.options.find((part) => parts[part].id === id) ?? null
}

/** Plugs a device of the machine itself into the place that is kept for it. */
export async function plugSystem(machine: LiveMachine, part: SystemPart): Promise<void> {
  await requireNoDevice(machine.qmp, parts[part].id)
  try {
    switch (part) {
      case 'balloon':
        return await plugBalloon(machine)
      case 'randomNumbers':
        return await plugRandomNumbers(machine)
      case 'guestAgent':
        return await plugAgent(machine)
      case 'clipboard':
        return await plugClipboard(machine)
    }
  } catch (error) {
    if (!(await hasDevice(machine.qmp, parts[part].id))) await removeSystemParts(machine.qmp, part)
    throw explained(error, `${capitalised(parts[part].label)} can’t be plugged in`)
  }
}

/** The target is told at once, also to a guest whose driver comes later. */
async function plugBalloon({ qmp, definition, tell }: LiveMachine): Promise<void> {
  await qmp.execute('device_add', balloonDevice(systemPlace(boardOf(definition.machineType), 'balloon')))
  if (definition.memory.targetMiB !== null) await setMemoryTarget(qmp, definition).catch((error: unknown) => { tell(`The memory balloon could not be set: ${(error as Error).message}`) })
}

async function plugRandomNumbers({ qmp, definition }: LiveMachine): Promise<void> {
  await removeSystemParts(qmp, 'randomNumbers')
  await qmp.execute('object-add', randomSource)
  await qmp.execute('device_add', randomDevice(systemPlace(boardOf(definition.machineType), 'random')))
}

async function plugAgent({ qmp, endpoints: { agent } }: LiveMachine): Promise<void> {
  if (agent === null) throw new RingsideError('CAPABILITY_MISSING', 'This run of the machine has no way to a guest agent; it gets it at the next start.')
  await removeSystemParts(qmp, 'guestAgent')
  await qmp.execute('chardev-add', { id: agentChardev, backend: listenBackend(agent) })
  await qmp.execute('device_add', agentPort())
}

async function plugClipboard({ qmp, plan }: LiveMachine): Promise<void> {
  const obstacle = clipboardObstacle(plan.qemu)
  if (obstacle !== null) throw new RingsideError('CAPABILITY_MISSING', obstacle)
  await addClipboardChannel(qmp)
}

/** The controller that channels and consoles are on. One that is there is fine. */
export async function plugChannels({ qmp, plan, definition }: LiveMachine): Promise<void> {
  if (await hasDevice(qmp, channelsId)) return
  await qmp.execute('device_add', channelsDevice(systemPlace(boardOf(definition.machineType), 'channels'), plan.accelerator)).catch((error: unknown) => {
    throw explained(error, 'The controller for channels to the guest can’t be plugged in')
  })
}

/** Asks the guest for a device of the machine itself; a channel is taken away without asking. Throws `GUEST_FAILED` when it keeps it. */
export async function unplugSystem(machine: LiveMachine, part: SystemPart): Promise<void> {
  const { id, label } = parts[part]
  if (isChannel(part)) await removePort(machine.qmp, id, label)
  else await unplug(machine, id, label)
  await removeSystemParts(machine.qmp, part)
}

/** What a part that is gone leaves behind it in QEMU. What is not there is fine. */
export async function removeSystemParts(qmp: QmpClient, part: SystemPart): Promise<void> {
  if (part === 'randomNumbers') await qmp.execute('object-del', { id: randomSource.id }).catch((error: unknown) => { if (!(error instanceof QmpCommandError)) throw error })
  if (part === 'guestAgent') await removeChardev(qmp, agentChardev)
  if (part === 'clipboard') await removeChardev(qmp, clipboardChardev)
}

export async function setWatchdogAction(qmp: QmpClient, action: Watchdog['action']): Promise<void> {
  await qmp.execute('set-action', { watchdog: action }).catch((error: unknown) => { throw explained(error, 'What the watchdog does can’t be changed') })
}

/**
 * Which of the machine’s own devices there are of those that the definition says may be there, and what one that is not has left behind is removed. The clipboard’s channel is away while memory
 * is written: of that the definition is right, and a channel that it has not is taken out.
 * @param ids of all devices that QEMU has
 */
export async function recoverSystem({ qmp, definition, tell }: Pick<LiveMachine, 'qmp' | 'definition' | 'tell'>, ids: ReadonlySet<string>): Promise<MachineDefinition> {
  const gone = SystemPart.options.filter((part) => part !== 'clipboard' && !ids.has(parts[part].id))
  if (!wantsClipboard(definition)) {
    if (ids.has(clipboardPortId)) await removePort(qmp, clipboardPortId, clipboardLabel)
    await removeSystemParts(qmp, 'clipboard')
  }
  for (const part of gone) await removeSystemParts(qmp, part)
  const there = gone.reduce((now, part) => (now[part] ? withLiveChange(now, { kind: 'unplugSystem', part }) : now), definition)
  if (there.watchdog !== null) await setWatchdogAction(qmp, there.watchdog.action).catch((error: unknown) => { tell((error as Error).message) })
  return hasChannels(there) === ids.has(channelsId) ? there : withChannels(there, ids.has(channelsId))
}
