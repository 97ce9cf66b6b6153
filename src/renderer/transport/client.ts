import { createORPCClient, type ClientLink } from '@orpc/client'
import type { ContractRouterClient } from '@orpc/contract'
import type { Contract } from '@shared/contract'
import { RingsideError } from '@shared/errors'
import { connection, type Connection } from './connection'
import { toRingsideError } from './errors'
import type { NoContext } from './link'

/** The host's contract as typed functions. Every failure is a `RingsideError`. */
export type Client = ContractRouterClient<Contract>

/** Asks the person for a machine's passphrase; resolves to whether it was given. */
type AskForKey = (error: RingsideError) => Promise<boolean>
let askForKey: AskForKey | null = null

/** Who asks when a call needs the key of encrypted disks: the call is made again when it was given. */
export function onKeyRequired(ask: AskForKey): void {
  askForKey = ask
}

/** A client whose calls go over whatever link the connection has at that moment. */
export function createClient(over: Pick<Connection, 'link'>): Client {
  const link: ClientLink<NoContext> = {
    async call(path, input, options) {
      try {
        return await (await over.link(options.signal)).call(path, input, options)
      } catch (thrown) {
        const error = toRingsideError(thrown)
        // What is about passphrases itself asks by itself, and so does what is about an image that is no machine's.
        if (error.code !== 'KEY_REQUIRED' || error.data.machineId === undefined || path[0] === 'encryption' || askForKey === null) throw error
        if (!(await askForKey(error))) throw new RingsideError('CANCELLED', 'The passphrase was not given; nothing was done.')
        return this.call(path, input, options)
      }
    },
  }
  return createORPCClient(link)
}

/** The window's client. */
export const client: Client = createClient(connection)

let current: Client = client

/** The client in use: the window's own, or the one that a spec put in its place. */
export function useClient(): Client {
  return current
}

/** For specs: puts a client of their own in place and returns what puts the real one back. */
export function replaceClient(other: Client): () => void {
  current = other
  return () => { current = client }
}
