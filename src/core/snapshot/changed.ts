import { isDeepStrictEqual } from 'node:util'
import type { MachineDefinition } from '@shared/model'
import { FileSource } from '../storage/byte-source'
import { hasOwnData, readQcow2Header } from '../storage/qcow2'
import { readTpmState } from '../engine/qemu'
import { tpmLine, tpmStatePath } from '../library'
import { topsOf, withTops, withTpmState } from './definition-layers'
import type { LayerGraph } from './layer-graph'
import { inFolder, type Survey } from './survey'
import { parentsIn } from './tree'

/**
 * Whether the machine holds anything that the snapshot which it goes on from does not, running or not; true also when it goes on from none. Asked are the
 * layers above that snapshot: an empty one reads as what lies below it. Memory is not looked at, which changes all the time.
 */
export async function hasChanged(survey: Survey): Promise<boolean> {
  const { current } = parentsIn(survey)
  const snapshot = current === null ? undefined : survey.snapshots.get(current)
  if (snapshot === undefined) return true
  const { definition } = survey.stored
  if (differs(definition, snapshot.manifest.definition)) return true
  const frozen = topsOf(snapshot.manifest.definition)
  for (const [key, own] of Object.entries(topsOf(definition))) {
    const top = survey.graph.own(own)?.path ?? inFolder(survey, own)
    if (await isWrittenAbove(survey.graph, top, frozen[key])) return true
  }
  return hasOtherTpm(survey, definition, snapshot.manifest.definition)
}

/** What can't be read counts as changed. */
async function hasOtherTpm(survey: Survey, { tpm: now }: MachineDefinition, { tpm: then }: MachineDefinition): Promise<boolean> {
  if (now === null || then === null) return now !== then
  const [one, other] = await Promise.all([now, then].map(({ state }) => readTpmState(inFolder(survey, state)).catch(() => undefined)))
  return one === undefined || other === undefined || Buffer.compare(one ?? Buffer.alloc(0), other ?? Buffer.alloc(0)) !== 0
}

/** @param frozen the snapshot's layer, from the machine's folder */
async function isWrittenAbove(graph: LayerGraph, top: string, frozen: string | undefined): Promise<boolean> {
  for (const layer of graph.downFrom(top)) {
    if (layer.own === frozen) return false
    if (await isWritten(layer.path)) return true
  }
  return true
}

/** What can't be read counts as written: at worst there is a snapshot too many. */
async function isWritten(path: string): Promise<boolean> {
  try {
    await using source = await FileSource.open(path)
    const read = await readQcow2Header(source)
    return !('header' in read) || (await hasOwnData(source, read.header))
  } catch {
    return true
  }
}

/** Whether the hardware is another one: what a machine is called, where it comes from and which layers its disks have does not count. */
function differs(one: MachineDefinition, other: MachineDefinition): boolean {
  return !isDeepStrictEqual(hardwareOf(one), hardwareOf(other))
}

function hardwareOf(definition: MachineDefinition): object {
  const tops = Object.fromEntries(Object.keys(topsOf(definition)).map((key) => [key, 'the layer on top']))
  return {
    ...withTpmState(withTops(definition, tops), definition.tpm === null ? null : tpmStatePath(tpmLine(definition.tpm.state))),
    schemaVersion: 0, createdBy: '', createdAt: '', id: '', name: '', notes: '', snapshotParentId: null, template: false, origin: null, snapshotPolicy: null, backupPolicy: null,
  }
}
