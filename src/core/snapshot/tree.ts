import type { MachineReference, Snapshot, SnapshotManifest, SnapshotProblem, SnapshotTree } from '@shared/model'
import { SnapshotProblem as SnapshotProblemSchema } from '@shared/model'
import type { MachineLibrary } from '../app/services'
import { topsOf } from './definition-layers'
import { type Names, namesOf } from './names'
import { findOrphans } from './orphans'
import { type Parents, findParents } from './parents'
import { machineIn } from './readers'
import { freeBytes } from './room'
import { bytesOf, divide } from './shares'
import { inFolder, type SnapshotOnDisk, type Survey } from './survey'

/** The parents of all snapshots of a machine. */
export function parentsIn({ stored: { definition }, snapshots, graph }: Survey): Parents {
  return findParents(graph, [...snapshots.values()].map(({ manifest }) => manifest), { tops: topsOf(definition), parentId: definition.snapshotParentId })
}

/**
 * What is shown of a machine's snapshots.
 * @param isBusy something is at work in its folder, so that what looks left over may be in the making: it is not listed
 */
export async function buildTree(survey: Survey, library: Pick<MachineLibrary, 'list'>, { isBusy }: { isBusy: boolean }): Promise<SnapshotTree> {
  const names = namesOf(survey, null)
  const shares = divide(survey, names)
  const parents = parentsIn(survey)
  const clones = await clonesBySnapshot(names, library)
  const snapshots = [...survey.snapshots.values()].map((found) =>
    snapshotView(found, parents.of.get(found.manifest.id) ?? null, bytesOf(shares.bySnapshot.get(found.manifest.id) ?? []), clones.get(found.manifest.id) ?? []),
  )
  return {
    machineId: survey.stored.definition.id,
    snapshots: inOrder(snapshots),
    current: { parentId: parents.current, sizeBytes: bytesOf(shares.present) },
    sharedBytes: bytesOf(shares.shared),
    orphans: isBusy ? [] : findOrphans(survey, names),
    problems: findProblems(survey),
    freeBytes: await freeBytes(survey.folder),
  }
}

export function snapshotView({ manifest, ram, hasScreen, folderBytes }: SnapshotOnDisk, parentId: string | null, layerBytes: number, clones: MachineReference[]): Snapshot {
  const { id, name, description, takenAt, kind, machineState, method, pauseMs, quiesced, notes, memory } = manifest
  return {
    id, parentId, name, description, takenAt, kind, machineState, method, pauseMs, quiesced, notes,
    memory: memory === null || ram === null
      ? null
      : { format: memory.format, compression: memory.compression, qemuVersion: memory.qemuVersion, accelerator: memory.accelerator, sizeBytes: ram.bytes },
    sizeBytes: layerBytes + folderBytes,
    hasScreen,
    clones,
  }
}

/** Linked clones by the snapshot whose layers they stand upon. */
export async function clonesBySnapshot(names: Names, library: Pick<MachineLibrary, 'list'>): Promise<Map<string, MachineReference[]>> {
  const folders = new Map<string, Set<string>>()
  for (const own of names.all()) {
    const namers = names.of(own)
    for (const snapshot of namers) {
      if (snapshot.kind !== 'snapshot') continue
      for (const clone of namers) if (clone.kind === 'clone') folders.set(snapshot.id, (folders.get(snapshot.id) ?? new Set()).add(clone.folder))
    }
  }
  const found = await Promise.all([...folders].map(async ([id, of]) => [id, await Promise.all([...of].sort().map((folder) => machineIn(library, folder)))] as const))
  return new Map(found)
}

/** Parents before their children, siblings by date. */
function inOrder(snapshots: readonly Snapshot[]): Snapshot[] {
  const byParent = Map.groupBy(snapshots.toSorted((a, b) => a.takenAt.localeCompare(b.takenAt) || a.id.localeCompare(b.id)), ({ parentId }) => parentId)
  const ordered: Snapshot[] = []
  const pending = (byParent.get(null) ?? []).toReversed()
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    ordered.push(next)
    pending.push(...(byParent.get(next.id) ?? []).toReversed())
  }
  return ordered
}

function findProblems(survey: Survey): SnapshotProblem[] {
  const unreadable = survey.unreadable.filter(({ path }) => path !== survey.stored.paths.savedRecord).map(({ path, error }) => {
    const code = SnapshotProblemSchema.shape.code.safeParse(error.code)
    return { path, code: code.success ? code.data : 'FILE_UNREADABLE' as const, message: error.message, hint: error.data.hint ?? 'The file is left as it is.' }
  })
  return [...unreadable, ...[...survey.snapshots.values()].flatMap((found) => problemsOf(survey, found))]
}

function problemsOf(survey: Survey, { manifest, files, ram }: SnapshotOnDisk): SnapshotProblem[] {
  const problems: SnapshotProblem[] = []
  const fault = faultOfLayers(survey, manifest)
  if (fault !== null) {
    problems.push({
      path: files.manifest, code: 'FILE_NOT_FOUND', message: `The snapshot “${manifest.name}” can't be used. ${fault}`,
      hint: 'Put the file back from a backup. The machine can’t be reverted to this snapshot without it.',
    })
  }
  if (manifest.memory !== null && ram === null) {
    problems.push({
      path: files.ram, code: 'FILE_NOT_FOUND', message: `The memory of the snapshot “${manifest.name}” is missing: ${files.ram}`,
      hint: 'Its disks can be used without it, as after a power cut.',
    })
  }
  return problems
}

/** What keeps the disks of a snapshot from being read, as a sentence; null: nothing. */
export function faultOfLayers(survey: Survey, { definition }: Pick<SnapshotManifest, 'definition'>): string | null {
  for (const own of Object.values(topsOf(definition))) {
    const fault = survey.graph.faultBelow(survey.graph.own(own)?.path ?? inFolder(survey, own))
    if (fault !== null) return fault
  }
  return null
}
