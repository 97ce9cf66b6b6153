import { lstat } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import type { Disk, MachineDefinition, SnapshotPlan } from '@shared/model'
import { nvramLayer } from '../engine/engine'
import { allocatedBytes, imagePath } from '../library'
import { hasLayers, topsOf } from './definition-layers'
import { inFolder, type Survey } from './survey'

export type Obstacle = SnapshotPlan['obstacles'][number]

/**
 * The disks that can be in no snapshot as they are, and why. A disk that is only read does not change and needs no layer.
 * @param definition of the machine that is meant: what runs can be another than what is stored
 */
export async function findObstacles(survey: Survey, { disks, firmware }: Pick<MachineDefinition, 'disks' | 'firmware'> = survey.stored.definition): Promise<Obstacle[]> {
  const found = await Promise.all(disks.filter(({ readOnly }) => !readOnly).map((disk) => obstacleOf(survey, disk)))
  const obstacles = found.filter((obstacle) => obstacle !== null)
  if (firmware.type === 'uefi') {
    const fault = survey.graph.faultBelow(survey.graph.own(firmware.nvram)?.path ?? inFolder(survey, firmware.nvram))
    if (fault !== null) obstacles.push({ diskId: nvramLayer, reason: `The store of UEFI variables can't be used. ${fault}`, convertible: false, bytes: null })
  }
  return obstacles
}

async function obstacleOf(survey: Survey, disk: Disk): Promise<Obstacle | null> {
  const path = imagePath(survey.stored.paths.folder, disk.image)
  const found = await lstat(path).catch(() => null)
  const obstacle = (reason: string, convertible: boolean): Obstacle => ({ diskId: disk.id, reason, convertible, bytes: found === null ? null : allocatedBytes(found) })
  if (disk.id === nvramLayer) return obstacle(`A disk can't have the id “${nvramLayer}”, which snapshots use for the UEFI variables.`, false)
  if (found === null) return obstacle(`Its file is missing: ${path}`, false)
  if (disk.image.kind === 'external') return obstacle(`It lies outside the machine's folder, where others may change it: ${path}`, true)
  if (found.isSymbolicLink()) return obstacle(`It is a link to a file that lies elsewhere, where others may change it: ${path}`, true)
  if (disk.format !== 'qcow2') return obstacle(`Its format is ${disk.format}, which can't be put into layers.`, true)
  if (!hasLayers(disk)) return obstacle(`It does not lie in the machine's folder “disks”: ${path}`, true)
  const layer = survey.graph.own(disk.image.path)
  const fault = survey.graph.faultBelow(layer?.path ?? path)
  if (fault !== null) return obstacle(fault, false)
  if (layer !== null && layer.format !== 'qcow2') return obstacle(`It is no qcow2 image, although the definition says so: ${path}`, false)
  if (layer !== null && layer.internalSnapshots > 0) return obstacle(`It keeps ${String(layer.internalSnapshots)} snapshots within itself; the two kinds can't be mixed. Converting it leaves those behind, in the file as it is now.`, true)
  return null
}

/** Throws `IMAGE_UNSUPPORTED` that names the disks and why, when there are any. */
export function refuseObstacles(obstacles: readonly Obstacle[], machineName: string): void {
  const [first] = obstacles
  if (first === undefined) return
  const disks = obstacles.map(({ diskId }) => `“${diskId}”`).join(', ')
  throw new RingsideError('IMAGE_UNSUPPORTED', `No snapshot can be taken of “${machineName}” because of its ${obstacles.length === 1 ? 'disk' : 'disks'} ${disks}. ${first.reason}`, {
    hint: obstacles.every(({ convertible }) => convertible)
      ? 'Bring the disks into the machine as qcow2 first: “Convert disks” does it, and the original files stay.'
      : 'Mend the file or take the disk out of the machine.',
    issues: obstacles.map(({ diskId, reason }) => ({ path: `disks.${diskId}`, message: reason, severity: 'error' as const })),
  })
}

/** The layers that a snapshot would freeze now, for a machine that is off. */
export function frozenBases(survey: Survey, tops: Readonly<Record<string, string>> = topsOf(survey.stored.definition)): Record<string, { path: string; virtualBytes: number }> {
  return Object.fromEntries(Object.entries(tops).map(([key, own]) => {
    const layer = survey.graph.own(own)
    if (layer?.virtualBytes == null) throw new RingsideError('IMAGE_DAMAGED', `A layer of “${key}” can't be read: ${inFolder(survey, own)}`, { path: inFolder(survey, own), hint: 'Take the file from a backup.' })
    return [key, { path: layer.path, virtualBytes: layer.virtualBytes }]
  }))
}
