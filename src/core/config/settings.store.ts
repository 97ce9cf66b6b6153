import { dirname } from 'node:path'
import { RingsideError, invalidInput, isRingsideError } from '@shared/errors'
import { type LibraryProblem, Settings, settingsSchemaVersion } from '@shared/model'
import type { Disposer, SettingsStore } from '../app/services'
import { settingsFormat } from './formats'
import { makeFolder } from './make-folder'
import { problemOf } from './problem'
import { VersionedFile } from './versioned-file'

/**
 * The settings on disk. A file that can't be understood stays as it is: defaults hold in memory, `problem` says what is wrong, and
 * changes are refused until the file was repaired or removed.
 */
export class SettingsFile implements SettingsStore {
  readonly #listeners = new Set<(settings: Settings) => void>()
  readonly #file: VersionedFile<Settings>
  #settings = defaultSettings()
  #fault: RingsideError | null = null
  #lastChange: Promise<unknown> = Promise.resolve()

  private constructor(path: string) {
    this.#file = new VersionedFile(path, settingsFormat)
  }

  static async open(path: string): Promise<SettingsFile> {
    const store = new SettingsFile(path)
    await store.#load()
    return store
  }

  /** What keeps the file from being used; null when all is well. */
  get problem(): LibraryProblem | null {
    return this.#fault === null ? null : problemOf(this.#fault, dirname(this.#file.path), this.#file.path)
  }

  get(): Settings {
    return this.#settings
  }

  /** Throws `INVALID_INPUT` with all faults; `DEFINITION_DAMAGED` and `DEFINITION_NEWER` while the file is so. */
  change(change: Partial<Omit<Settings, 'schemaVersion'>>): Promise<Settings> {
    const done = this.#lastChange.then(() => this.#change(change))
    this.#lastChange = done.catch(() => undefined)
    return done
  }

  onChange(listener: (settings: Settings) => void): Disposer {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async #change(change: Partial<Omit<Settings, 'schemaVersion'>>): Promise<Settings> {
    await this.#load()
    if (this.#fault !== null) {
      throw new RingsideError(this.#fault.code, this.#fault.message, {
        path: this.#file.path,
        hint: 'Settings can be changed again once the file was repaired or removed.',
      })
    }
    const parsed = Settings.safeParse({ ...this.#settings, ...change, schemaVersion: settingsSchemaVersion })
    if (!parsed.success)
      throw invalidInput(
        parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message, severity: 'error' as const })),
      )
    await makeFolder(dirname(this.#file.path))
    await this.#file.save(parsed.data)
    this.#settings = parsed.data
    for (const listener of this.#listeners) listener(parsed.data)
    return parsed.data
  }

  async #load(): Promise<void> {
    this.#fault = null
    try {
      this.#settings = await this.#file.load()
    } catch (error) {
      if (!isRingsideError(error)) throw error
      this.#settings = defaultSettings()
      if (error.code !== 'FILE_NOT_FOUND') this.#fault = error
    }
  }
}

export function defaultSettings(): Settings {
  return Settings.parse({ schemaVersion: settingsSchemaVersion })
}
