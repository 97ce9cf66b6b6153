import { afterEach, beforeEach, describe } from 'vitest'
import type { Job } from '@shared/model'
import { createFakeHost, type FakeHost, type FakeHostOptions } from '../fakes/fake-host'
import { cli, listenLocally, type CliResult, type LocalHost } from './cli-harness'
import { type Client, type Connection, overMessagePort, overWebSocket } from './transports'

/** What specs of the contract talk to. Each is that of the test that runs. */
export interface ContractAt {
  readonly host: FakeHost
  readonly connection: Connection
  readonly client: Client
  readonly ended: (job: Job) => Promise<Job>
}

/** The same specs over each transport, every test with a host that lives in memory. @param title as in “… over a WebSocket” */
export function overBothTransports(title: string, specs: (at: ContractAt) => void, options: FakeHostOptions = {}): void {
  describe.each([['MessagePort', overMessagePort], ['WebSocket', overWebSocket]] as const)(`${title} over a %s`, (_name, open) => {
    let host: FakeHost
    let connection: Connection
    beforeEach(async () => {
      host = createFakeHost({ slowness: 0, ...options })
      connection = await open(host)
    })
    afterEach(async () => {
      await connection.close()
      await host.close()
    })
    specs({ host: standIn(() => host), connection: standIn(() => connection), client: standIn(() => connection.client), ended: (job) => host.jobs.ended(job.id) })
  })
}

/** The command line beside a host that lives in memory, for every test of the file. */
export function useCli(): { readonly host: FakeHost; readonly local: LocalHost; readonly run: (...args: string[]) => Promise<CliResult> } {
  let host: FakeHost
  let local: LocalHost
  beforeEach(async () => {
    host = createFakeHost({ slowness: 0 })
    local = await listenLocally(host)
  })
  afterEach(async () => {
    await local.close()
    await host.close()
  })
  return { host: standIn(() => host), local: standIn(() => local), run: (...args) => cli(local, ...args) }
}

/** For what each test has anew, where a file names it once. */
function standIn<T extends object>(current: () => T): T {
  return new Proxy({} as T, { get: (_, name) => Reflect.get(current(), name) as unknown, set: (_, name, value) => Reflect.set(current(), name, value) })
}
