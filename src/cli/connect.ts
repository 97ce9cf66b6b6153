import { setTimeout as delay } from 'node:timers/promises'
import { openHost, type HostOptions } from '@core/app/host'
import { defaultDataFolder, findHost, openRuntimeRoot } from '@core/library'
import { connectLocally } from '@server/local-client'
import { serveLocally } from '@server/local-server'
import { isRingsideError } from '@shared/errors'
import type { Connected } from './cli'

/** How long to knock while another process is just becoming, or ceasing to be, the host. Milliseconds. */
const knockForMs = 5000
/** How long a host that lives for one command waits for others that attached to it meanwhile. Milliseconds. */
const waitForOthersMs = 5000

/**
 * Attaches to the host of the library where one runs, and becomes it for as long as the command lasts where none does. Machines
 * that were started go on afterwards, and the next host takes them over.
 */
export async function connect(wantedFolder: string | undefined, options: Pick<HostOptions, 'launcher' | 'log'>): Promise<Connected> {
  const dataFolder = wantedFolder ?? defaultDataFolder()
  const runtimeRoot = await openRuntimeRoot(dataFolder)
  for (const giveUpAt = performance.now() + knockForMs; ; await delay(50)) {
    const other = await findHost(dataFolder, runtimeRoot)
    try {
      return other ? await attach(other.address) : await becomeHost(dataFolder, options)
    } catch (thrown) {
      // It has just ended, or another one has just begun.
      const passing = isRingsideError(thrown, other ? 'PROTOCOL' : 'LIBRARY_LOCKED')
      if (!passing || performance.now() > giveUpAt) throw thrown
    }
  }
}

async function attach(address: string): Promise<Connected> {
  const connection = await connectLocally(address)
  return {
    client: connection.client,
    address,
    async close() {
      connection.close()
      await connection.closed
    },
  }
}

async function becomeHost(dataFolder: string, { launcher, log }: Pick<HostOptions, 'launcher' | 'log'>): Promise<Connected> {
  const host = await openHost({ shell: 'cli', dataFolder, launcher, log })
  // Served to others too: a long copy must not lock them out.
  const server = serveLocally(host.lock, host.services, log)
  const end = async (): Promise<void> => {
    await server.close()
    await host.close({ running: 'keepRunning' })
  }
  try {
    const own = await attach(host.lock.address)
    return {
      ...own,
      async close() {
        await own.close()
        for (const giveUpAt = performance.now() + waitForOthersMs; server.clients > 0 && performance.now() < giveUpAt;) await delay(20)
        await end()
      },
    }
  } catch (thrown) {
    await end()
    throw thrown
  }
}
