import { realpath } from 'node:fs/promises'
import { sep } from 'node:path'
import { invalidInput, RingsideError } from '@shared/errors'
import { type EncryptionState, type EncryptionSupport, isLive, type MachineView, Passphrase } from '@shared/model'
import type { Disposer, MachineLibrary } from '../app/services'
import { isKeyOf, newDiskKey, openKey, readKeyFile, type ScryptCost, sealKey, writeKeyFile } from './key-file'
import { passphraseNeeded } from '../storage/image-faults'
import type { RememberedKeys } from './remembered-keys'

/** How long a key that was opened may go without being needed while its machine is off, milliseconds. */
const unusedMs = 5 * 60_000

export interface DiskKeysOptions {
  readonly library: Pick<MachineLibrary, 'get' | 'list'>
  readonly remembered: RememberedKeys
  /** Program and version, for `createdBy`. */
  readonly createdBy: string
  /** Why disks can't be encrypted with the QEMU that there is, a sentence; null: they can. */
  readonly obstacle: () => Promise<string | null>
  readonly cost?: ScryptCost
}

/** Machines as far as keys follow them. */
export interface WatchedMachines {
  get(id: string): Pick<MachineView, 'state' | 'task'>
  onChange(listener: (change: { type: 'changed'; machine: MachineView } | { type: 'removed'; id: string }) => void): Disposer
}

interface Opened {
  readonly key: string
  timer: NodeJS.Timeout | null
  wasLive: boolean
}

/**
 * The disk keys of machines: opened by a passphrase or the keychain, held in memory for as long as the machine runs or is worked on and some minutes beside, and never anywhere else.
 */
export class DiskKeys {
  readonly #opened = new Map<string, Opened>()
  #machines: WatchedMachines | null = null

  constructor(private readonly options: DiskKeysOptions) {}

  /** Lets keys go with the machines that need them. */
  follow(machines: WatchedMachines): Disposer {
    this.#machines = machines
    return machines.onChange((change) => {
      if (change.type === 'removed') {
        this.#close(change.id)
        void this.options.remembered.forget(change.id).catch(() => undefined)
        return
      }
      this.#follow(change.machine)
    })
  }

  async support(): Promise<EncryptionSupport> {
    const why = await this.options.remembered.obstacle()
    return { keychain: { available: why === null, reason: why }, obstacle: await this.options.obstacle() }
  }

  async state(id: string): Promise<EncryptionState> {
    const { definition, paths } = this.options.library.get(id)
    const [file, isRemembered] = [await readKeyFile(paths.keyFile), await this.options.remembered.has(id)]
    return {
      diskIds: definition.disks.filter(({ encrypted }) => encrypted).map((disk) => disk.id),
      hasKey: file !== null,
      unlocked: this.#opened.has(id) || (file !== null && isRemembered && (await this.#fromKeychain(id)) !== null),
      remembered: isRemembered,
      ...(await this.support()),
    }
  }

  /** The key, from memory or the keychain; null: somebody has to give the passphrase. */
  async find(id: string): Promise<string | null> {
    const opened = this.#opened.get(id)
    if (opened !== undefined) {
      this.#delay(id, opened)
      return opened.key
    }
    const key = await this.#fromKeychain(id)
    if (key !== null) this.#hold(id, key)
    return key
  }

  /** Throws `KEY_REQUIRED`. */
  async require(id: string): Promise<string> {
    const key = await this.find(id)
    if (key !== null) return key
    const { definition, paths } = this.options.library.get(id)
    if ((await readKeyFile(paths.keyFile)) === null) {
      if (definition.disks.some(({ encrypted }) => encrypted)) throw noLock(definition.name, paths.keyFile)
      throw new RingsideError('NOT_FOUND', `“${definition.name}” has no passphrase yet.`, { machineId: id, hint: 'Give it one first: ringside encryption passphrase.' })
    }
    throw new RingsideError('KEY_REQUIRED', `“${definition.name}” has encrypted disks. Its passphrase is needed.`, { machineId: id, hint: 'Give the passphrase, then try again.' })
  }

  /** The same for a machine that has encrypted disks; null for any other. */
  async requireFor(id: string): Promise<string | null> {
    return this.options.library.get(id).definition.disks.some(({ encrypted }) => encrypted) ? this.require(id) : null
  }

  /**
   * The key of the images in a machine's folder. Throws `KEY_REQUIRED`, which names no machine for an image that belongs to none.
   * @param path absolute
   */
  async ofImage(path: string): Promise<string> {
    const real = await realpath(path).catch(() => path)
    for (const { definition, paths } of this.options.library.list()) {
      const folder = await realpath(paths.folder).catch(() => paths.folder)
      if (real.startsWith(folder + sep)) return this.require(definition.id)
    }
    throw passphraseNeeded(path)
  }

  /** Throws `KEY_WRONG` that changes nothing, and what `RememberedKeys.put` throws. */
  async unlock(id: string, passphrase: string, remember: boolean): Promise<void> {
    this.#hold(id, await this.#open(id, passphrase))
    if (remember) await this.remember(id)
  }

  /** Forgets the key until it is asked for again; what runs goes on. */
  lock(id: string): void {
    this.#close(id)
  }

  /**
   * Gives a machine its disk key, or its key another passphrase. The new lock is proved to open before it takes the old one's place, in one step: cut off anywhere, one of the two
   * passphrases opens it.
   * @param current null where there is no key yet. Throws `KEY_REQUIRED` when there is one, `KEY_WRONG`, `INVALID_INPUT`
   */
  async setPassphrase(id: string, current: string | null, passphrase: string, remember: boolean): Promise<void> {
    const { paths, definition } = this.options.library.get(id)
    requireGood(passphrase)
    const exists = (await readKeyFile(paths.keyFile)) !== null
    if (exists && current === null) throw new RingsideError('KEY_REQUIRED', `“${definition.name}” has a passphrase already. Give it to set another one.`, { machineId: id })
    if (!exists && definition.disks.some(({ encrypted }) => encrypted)) throw noLock(definition.name, paths.keyFile)
    const key = exists ? await this.#open(id, current ?? '') : newDiskKey()
    await this.#write(paths.keyFile, key, passphrase)
    this.#hold(id, key)
    if (remember) await this.remember(id)
  }

  /** Puts the lock of a new machine into its folder, which may have a temporary name still. @returns the disk key */
  async lockNew(keyFile: string, passphrase: string): Promise<string> {
    requireGood(passphrase)
    const key = newDiskKey()
    await this.#write(keyFile, key, passphrase)
    return key
  }

  /** Holds the key of a machine that has just been made. */
  hold(id: string, key: string): void {
    this.#hold(id, key)
  }

  /** Throws `KEY_REQUIRED`, `CAPABILITY_MISSING`. */
  async remember(id: string): Promise<void> {
    await this.options.remembered.put(id, await this.require(id))
  }

  /** Takes the key out of the keychain. */
  async forget(id: string): Promise<void> {
    this.options.library.get(id)
    await this.options.remembered.forget(id)
  }

  /** The disk key itself, which opens the images with any program that knows LUKS in qcow2. Throws `KEY_WRONG`. */
  async reveal(id: string, passphrase: string): Promise<string> {
    return this.#open(id, passphrase)
  }

  async #write(path: string, key: string, passphrase: string): Promise<void> {
    const { createdBy, cost } = this.options
    const file = await sealKey(key, passphrase, { createdBy, ...(cost === undefined ? {} : { cost }) })
    if ((await openKey(file, passphrase)) !== key) throw new RingsideError('INTERNAL', 'The new lock of the disk key does not open. Nothing was changed.')
    await writeKeyFile(path, file)
  }

  async #open(id: string, passphrase: string): Promise<string> {
    const { definition, paths } = this.options.library.get(id)
    const file = await readKeyFile(paths.keyFile)
    if (file === null) throw noLock(definition.name, paths.keyFile)
    const key = await openKey(file, passphrase)
    if (key !== null && isKeyOf(file, key)) return key
    throw new RingsideError('KEY_WRONG', `This is not the passphrase of “${definition.name}”.`, { machineId: id, hint: 'Check Caps Lock and the keyboard layout, then try again.' })
  }

  /** A key that does not fit (the folder came from a backup, say) is none. */
  async #fromKeychain(id: string): Promise<string | null> {
    const key = await this.options.remembered.get(id)
    if (key === null) return null
    const file = await readKeyFile(this.options.library.get(id).paths.keyFile).catch(() => null)
    return file !== null && isKeyOf(file, key) ? key : null
  }

  #hold(id: string, key: string): void {
    this.#close(id)
    const opened: Opened = { key, timer: null, wasLive: this.#isLive(id) }
    this.#opened.set(id, opened)
    this.#delay(id, opened)
  }

  #delay(id: string, opened: Opened): void {
    if (opened.timer !== null) clearTimeout(opened.timer)
    opened.timer = setTimeout(() => {
      if (this.#isLive(id) || this.#isBusy(id)) this.#delay(id, opened)
      else this.#close(id)
    }, unusedMs)
    opened.timer.unref()
  }

  #follow({ id, state, task }: MachineView): void {
    const opened = this.#opened.get(id)
    if (opened === undefined) return
    // A start that fails has not used it up.
    if (state === 'running' || state === 'paused') opened.wasLive = true
    // A revert ends a run and begins another: that is one task.
    else if (opened.wasLive && task === null && !isLive(state)) this.#close(id)
  }

  #close(id: string): void {
    const timer = this.#opened.get(id)?.timer ?? null
    if (timer !== null) clearTimeout(timer)
    this.#opened.delete(id)
  }

  #isLive(id: string): boolean {
    return this.#view(id, ({ state }) => isLive(state))
  }

  #isBusy(id: string): boolean {
    return this.#view(id, ({ task }) => task !== null)
  }

  #view(id: string, look: (view: Pick<MachineView, 'state' | 'task'>) => boolean): boolean {
    try {
      return this.#machines !== null && look(this.#machines.get(id))
    } catch {
      return false
    }
  }
}

function requireGood(passphrase: string): void {
  const parsed = Passphrase.safeParse(passphrase)
  if (!parsed.success) throw invalidInput(parsed.error.issues.map(({ message }) => ({ path: 'passphrase', message, severity: 'error' as const })))
}

function noLock(name: string, path: string): RingsideError {
  return new RingsideError('FILE_NOT_FOUND', `The lock of the encrypted disks of “${name}” is missing: ${path}`, { path, hint: 'Put encryption.json back from a backup. Without it nothing opens these disks, but the disk key itself if you have kept it.' })
}
