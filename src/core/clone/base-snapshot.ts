import { RingsideError } from '@shared/errors'
import { type MachineOrigin, SnapshotId, type SnapshotManifest } from '@shared/model'
import type { StoredMachine } from '../app/services'
import { snapshotFiles } from '../library'
import type { Work } from '../snapshot/context'
import { deleteSnapshots } from '../snapshot/delete'
import { snapshotNames } from '../snapshot/manifest'
import type { CloneContext } from './context'

/** The clone is there: a linked one stands on the snapshot from now on, and a full one needs it no more. */
export async function settleBase(work: Work, base: SnapshotManifest, kind: MachineOrigin['kind']): Promise<void> {
  const { context, held, reporter } = work
  try {
    if (kind === 'full') await remove(work, base)
    else await context.manifests.change(snapshotFiles(held.stored.paths.snapshotsFolder, base.id), base.id, (now) => ({ ...now, forClone: null }))
  } catch (error) {
    // The clone is none the worse for it. The mark stays, and the next host tries again.
    held.log('clone.baseNotSettled', { snapshot: base.id, message: (error as Error).message })
    if (kind === 'full') reporter.note?.(`The snapshot “${base.name}”, which was only taken for the copy, is still there. ${(error as Error).message}`)
  }
}

/** The clone came to nothing, and so does what was taken for it: also after a cancel, which is what it has to be undone for. */
export async function forgetBase(work: Work, base: SnapshotManifest): Promise<void> {
  await remove({ ...work, signal: new AbortController().signal }, base).catch((error: unknown) => {
    work.held.log('clone.baseNotRemoved', { snapshot: base.id, message: (error as Error).message })
  })
}

/** What is said of space that is given back later does not concern who wanted a clone. */
async function remove(work: Work, { id }: SnapshotManifest): Promise<void> {
  await deleteSnapshots({ ...work, reporter: { ...work.reporter, note: () => undefined } }, id, { children: false })
}

/**
 * What clones have left that were cut off together with their host: snapshots that were taken for them go, where nothing came to stand on them. Each when
 * its machine has nothing else to do. Never throws; what can't be done now is for the next host.
 */
export async function clearLeftoverBases(context: CloneContext, signal: AbortSignal): Promise<void> {
  const { library, machines } = context.snapshots
  await Promise.all(library.list().map(async (stored) => {
    try {
      for (const manifest of await manifestsOf(context, stored)) {
        if (manifest.forClone === null) continue
        const kind = standsOn(context, manifest) ? 'linked' : 'full'
        await machines.inBackground(stored.definition.id, 'deleteSnapshot', async (held) => {
          const either = AbortSignal.any([held.signal, signal])
          if (either.aborted) return
          await settleBase({ context: context.snapshots, held, reporter: { signal: either, report: () => undefined }, signal: either }, manifest, kind)
          context.snapshotsChanged(held.id)
        })
      }
    } catch (error) {
      if (!(error instanceof RingsideError)) throw error
    }
  }))
}

/** Those that can be read. */
async function manifestsOf({ snapshots: { manifests } }: CloneContext, { paths: { snapshotsFolder } }: StoredMachine): Promise<SnapshotManifest[]> {
  const ids = (await snapshotNames(snapshotsFolder)).filter((name) => SnapshotId.safeParse(name).success)
  const found = await Promise.all(ids.map((id) => manifests.read(snapshotFiles(snapshotsFolder, id), id).catch(() => null)))
  return found.filter((manifest) => manifest !== null)
}

function standsOn({ snapshots: { library } }: CloneContext, { id, forClone }: SnapshotManifest): boolean {
  const origin = library.list().find(({ definition }) => definition.id === forClone)?.definition.origin
  return origin?.kind === 'linked' && origin.snapshotId === id
}
