import { RingsideError } from '@shared/errors'
import { memoryIsPlain, type CloneRequest, type MachineDefinition, type NewEncryption } from '@shared/model'
import { readOwnFile, writeAtomically } from '../config'
import { linkOrCopy } from '../creation'
import { type MachineFiles, savedRamPath } from '../library'
import { baseFoldersOf } from '../library/base-folders'
import { prepareSavedFolder, writeSavedRun } from '../machine/saved-state'
import type { Work } from '../snapshot/context'
import { adviceFor } from './advice'
import { forgetBase, settleBase } from './base-snapshot'
import type { CloneContext } from './context'
import { newIdentity, requireFreeName } from './identity'
import { makeImages } from './make-images'
import { type ClonePlan, ownAddresses, planClone, warmDefinition } from './plan-clone'
import { findStanding, type Standing, type WarmMemory } from './standing'

/**
 * Makes a machine out of one that the caller holds. It is there as a whole when this resolves; when this throws or is cut off there is none, and the
 * original is as it was. Resolves to its id.
 */
export async function makeClone(context: CloneContext, work: Work, request: CloneRequest): Promise<string> {
  const { library, createdBy } = context.snapshots
  const { held, reporter } = work
  requireFreeName(library, request.name)
  await requireEncryptable(context, request)
  const identity = newIdentity(library, request.name, held.stored.definition, createdBy)
  const standing = await findStanding(work, request, identity.id)
  try {
    if (standing.base !== null) await context.atStep('clone:base-taken')
    // From here on nothing depends on what the original does.
    if (held.live) held.outliveRun()
    const plan = planClone({
      source: standing.source, folder: held.stored.paths.folder,
      identity: { ...identity, macAddresses: newIdentity(library, request.name, standing.source, createdBy).macAddresses },
      origin: { kind: request.kind, machineId: held.id, machineName: held.stored.definition.name, snapshotId: request.kind === 'full' && standing.base !== null ? null : standing.snapshotId },
      encryption: isNew(request.encryption) ? 'new' : request.encryption,
    })
    let newKey: string | null = null
    await library.add(plan.definition, async (paths) => {
      if (isNew(request.encryption)) newKey = await context.diskKeys.lockNew(paths.keyFile, request.encryption.passphrase)
      await makeParts(context, work, { standing, plan, paths, newKey })
    })
    await keepKey(context, work, plan.definition, request, newKey)
    await context.atStep('clone:added')
    held.log('cloned', { clone: identity.id, kind: request.kind, snapshot: standing.snapshotId, warm: standing.memory !== null })
    for (const sentence of adviceFor(request, plan.definition, context.catalog)) reporter.note?.(sentence)
  } catch (error) {
    if (standing.base !== null) await forgetBase(work, standing.base)
    throw error
  }
  if (standing.base !== null) await settleBase(work, standing.base, request.kind)
  await context.atStep('clone:base-settled')
  // A warm one shows as saved only when its folder has been looked at.
  await context.snapshots.machines.settled(identity.id)
  context.snapshotsChanged(held.id)
  return identity.id
}

type CloneEncryption = CloneRequest['encryption']

function isNew(encryption: CloneEncryption): encryption is NewEncryption {
  return encryption !== undefined && encryption !== 'none'
}

/** Throws `INVALID_INPUT`, `CAPABILITY_MISSING`. */
async function requireEncryptable({ diskKeys }: CloneContext, { kind, encryption }: CloneRequest): Promise<void> {
  if (encryption === undefined) return
  if (kind === 'linked') throw new RingsideError('INVALID_INPUT', 'A linked clone reads from the disks of its original, and is encrypted as they are.', { hint: 'Make a full clone.' })
  const { obstacle } = await diskKeys.support()
  if (isNew(encryption) && obstacle !== null) throw new RingsideError('CAPABILITY_MISSING', obstacle)
}

/** Whoever made it need not be asked at once for what was given just now. */
async function keepKey({ diskKeys }: CloneContext, { held, reporter }: Work, { id, disks }: MachineDefinition, { encryption, warm }: CloneRequest, newKey: string | null): Promise<void> {
  const isEncrypted = disks.some(({ encrypted }) => encrypted)
  const key = newKey ?? (isEncrypted ? await diskKeys.find(held.id) : null)
  if (key !== null) diskKeys.hold(id, key)
  if (!isNew(encryption)) return
  for (const disk of disks) if (!disk.encrypted) reporter.note?.(`The disk “${disk.id}” is only read and stays where it is, unencrypted: ${disk.image.path}`)
  if (warm) reporter.note?.(memoryIsPlain)
  if (!encryption.remember) return
  // The clone is there, and its passphrase opens it: that it is asked for is no reason to throw it away.
  await diskKeys.remember(id).catch((error: unknown) => { reporter.note?.((error as Error).message) })
}

interface Parts { readonly standing: Standing; readonly plan: ClonePlan; readonly paths: MachineFiles; readonly newKey: string | null }

async function makeParts(context: CloneContext, { held, reporter, signal }: Work, { standing: { memory }, plan, paths, newKey }: Parts): Promise<void> {
  const { library, imageTool } = context.snapshots
  if (newKey === null && plan.definition.disks.some(({ encrypted }) => encrypted)) await copyLock(held.stored.paths.keyFile, paths.keyFile)
  await makeImages(plan, {
    tool: await imageTool(),
    original: { machineFolder: held.stored.paths.folder, baseFolders: baseFoldersOf(library, held.stored.definition) },
    folder: paths.folder, newKey, reporter, signal,
  })
  await context.atStep('clone:images-made')
  if (memory === null) return
  await keepMemory(memory, plan, paths, (fraction) => { reporter.report(fraction, 'Copying memory') }, signal)
  await context.atStep('clone:memory-kept')
}

/** Without it the clone's disks could not be opened. */
async function copyLock(from: string, to: string): Promise<void> {
  await writeAtomically(to, await readOwnFile(from))
}

/** The clone is made in the state “saved”. The record comes last: memory without one is none. */
async function keepMemory({ file, ...saved }: WarmMemory, { definition }: ClonePlan, paths: MachineFiles, onProgress: (fraction: number) => void, signal: AbortSignal): Promise<void> {
  await prepareSavedFolder(paths)
  await linkOrCopy(file, paths.savedRam, onProgress, signal)
  await writeSavedRun(paths, { ...saved, schemaVersion: 1, ramFile: savedRamPath, definition: warmDefinition(saved.definition, definition), ownAddresses: ownAddresses(saved.definition, definition) })
}
