import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RingsideError, isRingsideError } from '@shared/errors'
import { isLive, type MachineDefinition } from '@shared/model'
import { fileError, syncFolder } from '../config'
import type { QemuImg } from '../engine/qemu'
import { snapshotFiles } from '../library'
import { baseFoldersOf } from '../library/base-folders'
import { bytesInWords } from '../storage'
import type { SnapshotContext, Work } from './context'
import { topsOf, withTops } from './definition-layers'
import type { Layer, LayerGraph } from './layer-graph'
import { realFolder } from './layers'
import type { Names } from './names'
import { syncFile, wayTo } from './overlays'
import { freeBytes } from './room'
import type { Survey } from './survey'
import type { Merge } from './tidy-plan'

/** How the layers of a merge come together. `up`: the upper one takes over what it reads from those below. `down`: it is written down into the lowest. */
export type Way = 'up' | 'down'

/** What a merge would take. */
export interface MergeCost {
  /** Bytes to be copied either way. */
  readonly up: number
  readonly down: number
}

/** What is known about the run under way. */
export interface RunningChain {
  /** Disk id or `nvramLayer`, by the path of each layer that QEMU has open. */
  readonly keys: ReadonlyMap<string, string>
}

/** Room that is left alone, for what else is written meanwhile: as much as is copied, and no more than this. Bytes. */
const margin = 64 * 2 ** 20
/** For a machine that runs or is saved no more than this is copied when the same can be had for much less once it is off. Bytes. */
const muchWhileNotOff = 2 ** 30
/** One way is better by far when it copies less than half of what the other does. */
const byFar = 2

/** The layers that the running QEMU has open. @param tops of each disk, from the machine's folder */
export function runningChain(graph: LayerGraph, tops: Readonly<Record<string, string>>): RunningChain {
  const keys = new Map<string, string>()
  for (const [key, own] of Object.entries(tops)) for (const layer of graph.downFrom(graph.own(own)?.path ?? '')) keys.set(layer.path, key)
  return { keys }
}

export async function mergeCost(tool: QemuImg, { upper, lowers }: Merge, signal?: AbortSignal): Promise<MergeCost> {
  const data = await tool.dataByDepth(upper.path, signal)
  const sum = (from: number, to: number): number => data.slice(from, to).reduce((all, bytes) => all + bytes, 0)
  return { up: sum(1, lowers.length + 1), down: sum(0, lowers.length) }
}

/** The way to go, or why it is put off, as a sentence. */
export type Choice = { readonly way: Way } | { readonly putOff: string }

/** Decides how a merge is done, or that it has to wait. */
export async function chooseWay(context: SnapshotContext, survey: Survey, names: Names, running: RunningChain | null, merge: Merge, cost: MergeCost): Promise<Choice> {
  const { upper } = merge
  const fault = survey.graph.faultBelow(upper.path)
  if (fault !== null) return { putOff: fault }
  const clone = await liveCloneAbove(context, survey, names, upper)
  if (clone !== null) return { putOff: `“${clone}” is a linked clone that runs and has the layers open; their space is given back later, when it is off.` }
  const isOpen = running?.keys.has(upper.path) === true
  const isSaved = upper.own !== null && names.of(upper.own).some(({ kind }) => kind === 'saved')
  const downIsBetter = cost.up > cost.down * byFar
  if ((isOpen || isSaved) && downIsBetter && cost.up > muchWhileNotOff) {
    return { putOff: `${bytesInWords(cost.up)} would have to be copied while the machine ${isOpen ? 'runs' : 'is saved to disk'}; the space is given back when it is off.` }
  }
  // Written down, layers are renamed by qemu-img, which does not find encrypted ones by their names.
  const canGoDown = !isOpen && !upper.encrypted && mayGoDown(survey, names, merge)
  const free = await freeBytes(survey.folder)
  const ways: Way[] = canGoDown ? (downIsBetter ? ['down', 'up'] : ['up', 'down']) : ['up']
  const fitting = ways.find((way) => free === null || free >= cost[way] + Math.min(cost[way], margin))
  if (fitting !== undefined) return { way: fitting }
  return { putOff: `${bytesInWords(Math.min(...ways.map((way) => cost[way])))} would have to be copied first, and the drive has ${bytesInWords(free ?? 0)} left; the space is given back when there is room.` }
}

/**
 * Whether all who name the upper layer can be told to name the lowest instead. The saved state can't: it and `machine.json` would name different ones for a moment,
 * and a guest that goes on then would write past the other.
 */
function mayGoDown({ graph }: Survey, names: Names, { upper, lowers }: Merge): boolean {
  const lowest = lowers.at(-1)
  if (upper.own === null || lowest?.virtualBytes !== upper.virtualBytes) return false
  const namers = names.of(upper.own)
  if (namers.some(({ kind }) => kind !== 'snapshot' && kind !== 'present')) return false
  // What reads from a layer that the guest writes to can't be right; it is left alone.
  return !namers.some(({ kind }) => kind === 'present') || graph.readersOf(upper.path).length === 0
}

/** A linked clone that runs and reads through the layer, by name. Its QEMU has the file open, and not every system guards against that. */
async function liveCloneAbove(context: SnapshotContext, { graph, folder }: Survey, names: Names, layer: Layer): Promise<string | null> {
  const isRead = names.all().some((own) => names.of(own).some(({ kind }) => kind === 'clone') && [...graph.downFrom(graph.own(own)?.path ?? '')].some(({ path }) => path === layer.path))
  if (!isRead) return null
  for (const { definition } of context.library.list()) {
    if (definition.origin?.kind !== 'linked' || !isLive(context.machines.get(definition.id).state)) continue
    const bases = await Promise.all(baseFolders(context, definition).map(realFolder))
    if (bases.includes(folder)) return definition.name
  }
  return null
}

function baseFolders(context: SnapshotContext, definition: MachineDefinition): string[] {
  try {
    return baseFoldersOf(context.library, definition)
  } catch (error) {
    if (isRingsideError(error, 'NOT_FOUND')) return []
    throw error
  }
}

/** Merges the layers; what every layer that stays holds is the same at every moment. Throws what QEMU and the file system throw; it can then be done again. */
export async function mergeLayers(work: Work, survey: Survey, names: Names, running: RunningChain | null, merge: Merge, way: Way): Promise<void> {
  if (way === 'down') await mergeDown(work, survey, names, merge)
  else await mergeUp(work, running, merge)
}

async function mergeUp(work: Work, running: RunningChain | null, { upper, lowers }: Merge): Promise<void> {
  const { context, held, signal } = work
  const last = lowers.at(-1)
  const backing = last?.backing ?? null
  const onProgress = progress(work)
  const key = running?.keys.get(upper.path)
  if (key !== undefined) {
    await held.command('pullLayer', { disk: key, layer: upper.path, base: last?.below ?? null, backingName: backing?.name ?? null }, { signal, onProgress })
  } else {
    const tool = await context.imageTool()
    await tool.rebase({ path: upper.path, backing: backing === null ? null : { name: backing.name, format: backing.format === 'raw' ? 'raw' : 'qcow2' }, onProgress, signal })
  }
  await syncFile(upper.path)
  await context.atStep('tidy:pulled')
  await removeLayers(lowers)
  await context.atStep('tidy:lower-removed')
}

async function mergeDown(work: Work, survey: Survey, names: Names, { upper, lowers }: Merge): Promise<void> {
  const { context, held, signal } = work
  const lowest = lowers.at(-1)
  const above = lowers.at(-2) ?? upper
  if (upper.own === null || lowest?.own == null || above.backing === null) throw new RingsideError('INTERNAL', 'A layer outside the machine’s folder was to be merged.')
  const tool = await context.imageTool()
  await tool.commit({ path: upper.path, base: above.backing.name, onProgress: progress(work), signal })
  await syncFile(lowest.path)
  await context.atStep('tidy:committed')
  // From here on both hold the same, so that any order is safe; and nothing stops it any more, since what is half done would take space for nothing.
  const { own } = upper
  const renamed = <T extends Pick<MachineDefinition, 'disks' | 'firmware'>>(definition: T): T =>
    withTops(definition, Object.fromEntries(Object.entries(topsOf(definition)).map(([key, top]) => [key, top === own ? lowest.own ?? top : top])))
  for (const namer of names.of(own)) {
    if (namer.kind !== 'snapshot') continue
    await context.manifests.change(snapshotFiles(held.stored.paths.snapshotsFolder, namer.id), namer.id, (manifest) => ({
      ...manifest, definition: renamed(manifest.definition), memory: manifest.memory === null ? null : { ...manifest.memory, definition: renamed(manifest.memory.definition) },
    }))
  }
  await context.atStep('tidy:records-changed')
  if (names.of(own).some(({ kind }) => kind === 'present')) await context.library.update(held.id, renamed)
  await context.atStep('tidy:definition-changed')
  for (const reader of survey.graph.readersOf(upper.path)) {
    await tool.relink(reader.path, { name: wayTo(lowest.path, reader.path), format: 'qcow2' })
    await syncFile(reader.path)
  }
  await context.atStep('tidy:readers-changed')
  await removeLayers([upper, ...lowers.slice(0, -1)])
  await context.atStep('tidy:upper-removed')
}

/** From the top downwards, so that none is ever left without what it reads from. */
export async function removeLayers(layers: readonly Layer[]): Promise<void> {
  for (const { path } of layers) {
    await rm(path, { force: true }).catch((cause: unknown) => {
      throw fileError(cause, path, 'removed')
    })
    await syncFolder(dirname(path))
  }
}

function progress({ reporter }: Work): (fraction: number | null) => void {
  return (fraction) => { reporter.report(fraction, 'Giving space back') }
}
