import type { ContractClient } from '@server/local-client'
import { RingsideError } from '@shared/errors'
import { toRingsideError } from './errors'
import { givenPassphrase, passphraseHint, type PassphraseSource } from './passphrase'

/** How often a person may try. From a file there is one try. */
const tries = 3

/**
 * The host as every command sees it: a call that needs the key of a machine's encrypted disks has the passphrase asked for, or read from the file that was named, and is made again.
 * @param file as given by `--passphrase-file`
 */
export function unlockingClient(client: ContractClient, source: PassphraseSource, file: string | undefined): ContractClient {
  return wrapped(client, [], async (machineId, error) => {
    const { definition: { name } } = await client.machine.get({ id: machineId })
    for (let attempt = 1; ; attempt += 1) {
      const passphrase = await givenPassphrase(source, file, `Passphrase of “${name}”: `)
      if (passphrase === null) throw new RingsideError(error.code, error.message, { ...error.data, hint: passphraseHint })
      try {
        await client.encryption.unlock({ id: machineId, passphrase })
        return
      } catch (thrown) {
        const wrong = toRingsideError(thrown)
        if (wrong.code !== 'KEY_WRONG' || file !== undefined || attempt === tries) throw wrong
        source.terminal.stderr.write(`${wrong.message}\n`)
      }
    }
  }) as ContractClient
}

type Unlock = (machineId: string, error: RingsideError) => Promise<void>
type Callable = (...args: unknown[]) => Promise<unknown>

function wrapped(target: unknown, path: readonly string[], unlock: Unlock): unknown {
  return new Proxy(target as Callable & Record<string, unknown>, {
    get: (inner, name) => (typeof name === 'symbol' ? (Reflect.get(inner, name) as unknown) : wrapped(inner[name], [...path, name], unlock)),
    async apply(inner, _, args: unknown[]) {
      try {
        return await inner(...args)
      } catch (thrown) {
        const error = toRingsideError(thrown)
        const { machineId } = error.data
        // What is about passphrases itself asks by itself.
        if (error.code !== 'KEY_REQUIRED' || machineId === undefined || path[0] === 'encryption') throw thrown
        await unlock(machineId, error)
        return await inner(...args)
      }
    },
  })
}
