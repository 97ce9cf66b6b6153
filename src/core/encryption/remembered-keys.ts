import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { RingsideError } from '@shared/errors'
import { errnoOf, fileError, writeAtomically } from '../config'
import type { Keychain } from './keychain'

/** Disk keys that were sealed by the keychain, a file for each machine. */
export class RememberedKeys {
  /** @param folder its own; made with the first key */
  constructor(private readonly folder: string, private readonly keychain: Keychain) {}

  obstacle(): Promise<string | null> {
    return this.keychain.obstacle()
  }

  /** Throws `CAPABILITY_MISSING` where there is no keychain, or it refuses. */
  async put(machineId: string, key: string): Promise<void> {
    const why = await this.keychain.obstacle()
    if (why !== null) throw notKept(why)
    const sealed = await this.keychain.seal(key).catch((cause: unknown) => {
      throw notKept('The keychain refused.', cause)
    })
    await mkdir(this.folder, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
      throw fileError(cause, this.folder, 'written')
    })
    await writeAtomically(this.#path(machineId), sealed)
  }

  /** null: there is none, or the keychain does not open it now. */
  async get(machineId: string): Promise<string | null> {
    const sealed = await readFile(this.#path(machineId)).catch(() => null)
    if (sealed === null || (await this.keychain.obstacle()) !== null) return null
    return this.keychain.open(sealed).catch(() => null)
  }

  async has(machineId: string): Promise<boolean> {
    return readFile(this.#path(machineId)).then(() => true, () => false)
  }

  async forget(machineId: string): Promise<void> {
    await rm(this.#path(machineId), { force: true }).catch((cause: unknown) => {
      if (errnoOf(cause) !== 'ENOENT') throw fileError(cause, this.#path(machineId), 'removed')
    })
  }

  #path(machineId: string): string {
    return join(this.folder, `${machineId}.key`)
  }
}

function notKept(why: string, cause?: unknown): RingsideError {
  return new RingsideError('CAPABILITY_MISSING', `The disk key can’t be remembered. ${why}`, { hint: 'Go on without; the passphrase is asked for when it is needed.' }, { cause })
}
