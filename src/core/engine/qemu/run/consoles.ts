import type { Duplex } from 'node:stream'
import { RingsideError } from '@shared/errors'
import { consolePortCount, type MachineDefinition } from '@shared/model'
import { agentChardev, portChardev } from '../argv'
import { connectEndpoint } from '../endpoint'
import type { QmpClient } from '../qmp'
import type { RunEndpoints } from './endpoints'
import { openProtectedGraphics } from './protected-graphics'

type Endpoints = RunEndpoints['endpoints']

/** A byte stream of RFB. Throws `CAPABILITY_MISSING` for a machine without a display adapter. */
export async function openGraphics(qmp: QmpClient, { display, name }: MachineDefinition, { graphics }: Endpoints): Promise<Duplex> {
  if (display.model === 'none') {
    throw new RingsideError('CAPABILITY_MISSING', `“${name}” has no display adapter, so there is no screen to show.`, { hint: 'Use its serial console.' })
  }
  if (graphics.kind === 'unix') return connectConsole(() => connectEndpoint(graphics), 'screen')
  return connectConsole(async () => openProtectedGraphics(await vncPort(qmp), graphics), 'screen')
}

/** Throws `NOT_FOUND` for a port that the machine has not. */
export async function openSerial(qmp: QmpClient, definition: MachineDefinition, { serial }: Endpoints, port: number): Promise<Duplex> {
  const ports = consolePortCount(definition)
  const endpoint = port < ports ? serial[port] : undefined
  if (endpoint === undefined) {
    const count = ports === 0 ? 'no serial port' : `serial ports 0 to ${String(ports - 1)} only`
    throw new RingsideError('NOT_FOUND', `The machine has ${count}; port ${String(port)} was asked for.`)
  }
  if (endpoint.kind === 'unix') return connectConsole(() => connectEndpoint(endpoint), `serial port ${String(port)}`)
  return connectConsole(async () => connectEndpoint({ ...endpoint, port: await chardevPort(qmp, portChardev(port)) }), `serial port ${String(port)}`)
}

/** The channel of the guest agent, which takes one client at a time. */
export async function openAgent(qmp: QmpClient, { agent }: Endpoints): Promise<Duplex> {
  if (agent === null) throw new RingsideError('NOT_FOUND', 'The machine has no channel for a guest agent.')
  if (agent.kind === 'unix') return connectConsole(() => connectEndpoint(agent), 'guest agent')
  return connectConsole(async () => connectEndpoint({ ...agent, port: await chardevPort(qmp, agentChardev) }), 'guest agent')
}

async function connectConsole(open: () => Promise<Duplex>, what: string): Promise<Duplex> {
  try {
    return await open()
  } catch (cause) {
    if (cause instanceof RingsideError) throw cause
    throw new RingsideError('QEMU_FAILED', `The machine's ${what} can't be reached (${(cause as Error).message}).`, { hint: 'The machine may just have ended; start it again.' }, { cause })
  }
}

/** The port that QEMU chose, out of a name such as `disconnected:tcp:127.0.0.1:40123,server=on`. */
async function chardevPort(qmp: QmpClient, label: string): Promise<number> {
  const chardev = (await qmp.execute('query-chardev')).find((known) => known.label === label)
  const port = /:(\d+)(?:,|\s|$)/u.exec(chardev?.filename ?? '')?.[1]
  if (port === undefined) throw new RingsideError('PROTOCOL', `QEMU does not say where its “${label}” listens.`)
  return Number(port)
}

async function vncPort(qmp: QmpClient): Promise<number> {
  const port = (await qmp.execute('query-vnc-servers'))[0]?.server[0]?.service
  if (port === undefined) throw new RingsideError('PROTOCOL', 'QEMU does not say where its screen is served.')
  return Number(port)
}
