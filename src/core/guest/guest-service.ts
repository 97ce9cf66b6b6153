import { randomBytes } from 'node:crypto'
import { link, lstat, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isRingsideError, RingsideError } from '@shared/errors'
import type { GuestCommand, GuestCommandResult, GuestCopy, GuestInfo, OsCatalog } from '@shared/model'
import type { Guests, JobReporter, MachineManager } from '../app/services'
import { errnoOf, fileError, syncFolder } from '../config'
import { guestTarget, type HostTarget, hostTarget, requireGuestPath, requireHostPath } from './copy-paths'
import { installAdvice } from './install-advice'

export interface GuestServiceParts {
  machines: Pick<MachineManager, 'get'> & GuestReach
  catalog: OsCatalog
  /** Folders that Ringside alone writes to. */
  keptFolders: readonly string[]
}

/** The way into running guests; see `MachineSupervisor.inGuest`. */
export interface GuestReach {
  inGuest(id: string, work: 'guestInfo', input: object): Promise<GuestInfo>
  inGuest(id: string, work: 'guestRun', input: GuestCommand, options: { signal: AbortSignal }): Promise<GuestCommandResult>
  inGuest(id: string, work: 'guestSetPassword', input: { user: string; password: string }): Promise<object>
  inGuest(id: string, work: 'guestCopyIn', input: { hostPath: string; guestPath: string; overwrite: boolean }, options: CopyOptions): Promise<{ notes: string[] }>
  inGuest(id: string, work: 'guestCopyOut', input: { guestPath: string; partialPath: string }, options: CopyOptions): Promise<object>
}

interface CopyOptions {
  signal: AbortSignal
  onProgress: (fraction: number | null) => void
}

/** What running guests are asked and told through their agents. */
export class GuestService implements Guests {
  constructor(private readonly parts: GuestServiceParts) {}

  info(id: string): Promise<GuestInfo> {
    return this.#reach(id, (machines) => machines.inGuest(id, 'guestInfo', {}))
  }

  run(id: string, command: GuestCommand, signal: AbortSignal): Promise<GuestCommandResult> {
    return this.#reach(id, (machines) => machines.inGuest(id, 'guestRun', command, { signal }))
  }

  async setPassword(id: string, user: string, password: string): Promise<void> {
    await this.#reach(id, (machines) => machines.inGuest(id, 'guestSetPassword', { user, password }))
  }

  async copyIn(id: string, { hostPath, guestPath, overwrite }: GuestCopy, reporter: JobReporter): Promise<void> {
    const source = requireHostPath(hostPath)
    const target = guestTarget(guestPath, source)
    const options = copyOptions(reporter, `Copying to ${target}`)
    const { notes } = await this.#reach(id, (machines) => machines.inGuest(id, 'guestCopyIn', { hostPath: source, guestPath: target, overwrite }, options))
    reporter.note?.(`Copied to ${target} in the guest.`)
    for (const note of notes) reporter.note?.(note)
  }

  async copyOut(id: string, { hostPath, guestPath, overwrite }: GuestCopy, reporter: JobReporter): Promise<void> {
    const source = requireGuestPath(guestPath)
    const target = await hostTarget(hostPath, source, { overwrite, kept: this.parts.keptFolders })
    const partialPath = join(target.folder, `.${basename(target.path).slice(0, 200)}.${randomBytes(6).toString('hex')}.part`)
    try {
      const options = copyOptions(reporter, `Copying ${source}`)
      await this.#reach(id, (machines) => machines.inGuest(id, 'guestCopyOut', { guestPath: source, partialPath }, options))
      reporter.signal.throwIfAborted()
      await giveName(partialPath, target, overwrite)
    } finally {
      // The worker removes it when the copy breaks; not when the worker dies.
      await rm(partialPath, { force: true }).catch(() => undefined)
    }
    reporter.note?.(`Copied to ${target.path}.`)
  }

  /** Where nobody answers, says how the agent gets into this guest. */
  async #reach<T>(id: string, work: (machines: GuestReach) => Promise<T>): Promise<T> {
    try {
      return await work(this.parts.machines)
    } catch (error) {
      if (!isRingsideError(error, 'CAPABILITY_MISSING') || !error.message.startsWith('No guest agent answers')) throw error
      const { name, osId } = this.parts.machines.get(id).definition
      throw new RingsideError('CAPABILITY_MISSING', `No guest agent answers in “${name}”. It may still be starting, or have no agent.`, { hint: installAdvice(this.parts.catalog, osId) }, { cause: error })
    }
  }
}

function copyOptions(reporter: JobReporter, step: string): CopyOptions {
  reporter.report(null, step)
  return { signal: reporter.signal, onProgress: (fraction) => { reporter.report(fraction, step) } }
}

/** Gives a file that is whole its name. Whatever is there stays there unless it is to be replaced, also when it came this very moment. */
async function giveName(from: string, { path, folder }: HostTarget, overwrite: boolean): Promise<void> {
  try {
    if (overwrite) await rename(from, path)
    else await linkOrRename(from, path)
    await syncFolder(folder)
  } catch (error) {
    throw fileError(error, path, 'written')
  }
}

async function linkOrRename(from: string, path: string): Promise<void> {
  try {
    await link(from, path)
  } catch (error) {
    // File systems without a second name for a file, such as FAT.
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(errnoOf(error))) throw error
    const isThere = await lstat(path).then(() => true, () => false)
    if (isThere) throw new RingsideError('FILE_EXISTS', `There is a file ${path} already.`, { path, hint: 'Choose another name, or say that it is to be replaced.' })
    await rename(from, path)
  }
}
