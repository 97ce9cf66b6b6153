import { MachineDefinition, machineSchemaVersion, type SnapshotManifest, snapshotSchemaVersion } from '@shared/model'
import type { StoredMachine } from '../app/services'
import { machinePaths, snapshotFiles } from '../library'
import { type Layer, LayerGraph } from './layer-graph'
import type { SnapshotOnDisk, Survey } from './survey'

/* Machines, snapshots and layers for specs, as plain data. */

export const machineFolder = '/library/web-11111111'
export const machineId = '11111111-1111-4111-8111-111111111111'

/** The id of snapshot `number`. */
export function snapshotId(number: number): string {
  return `22222222-2222-4222-8222-${String(number).padStart(12, '0')}`
}

/** @param tops file of each disk, by its id */
export function definitionOf(tops: Readonly<Record<string, string>>, changes: Partial<MachineDefinition> = {}): MachineDefinition {
  return {
    ...MachineDefinition.parse({
      schemaVersion: machineSchemaVersion, createdBy: 'ringside 0.1.0', id: machineId, name: 'web', createdAt: '2026-01-01T00:00:00.000Z', osId: 'debian-12', machineType: 'pc-q35-7.2',
      firmware: { type: 'bios' }, processors: { sockets: 1, cores: 2, threads: 1 }, memoryMiB: 2048, boot: {}, display: { model: 'virtio-vga' },
      disks: Object.entries(tops).map(([id, path]) => ({ id, image: { kind: 'own', path }, format: 'qcow2', bus: 'virtio-blk' })),
    }),
    ...changes,
  }
}

export function manifestOf(number: number, tops: Readonly<Record<string, string>>, changes: Partial<SnapshotManifest> = {}): SnapshotManifest {
  return {
    schemaVersion: snapshotSchemaVersion, createdBy: 'ringside 0.1.0', id: snapshotId(number), parentId: null, name: `Snapshot ${String(number)}`, description: '',
    takenAt: `2026-01-0${String(number)}T00:00:00.000Z`, kind: 'manual', forClone: null, machineState: 'stopped', definition: definitionOf(tops), memory: null, method: 'none', pauseMs: null, quiesced: false, notes: [],
    ...changes,
  }
}

/** Layers of 1 MiB each, `disks/<name>.qcow2`. @param chains names, each list from the top down; a name that comes again is the same layer */
export function graphOf(...chains: readonly (readonly string[])[]): LayerGraph {
  const layers = new Map<string, Layer>()
  for (const chain of chains) {
    for (const [index, name] of chain.entries()) {
      const below = chain[index + 1]
      if (layers.has(name) && below === undefined) continue
      layers.set(name, layerOf(name, below ?? null))
    }
  }
  return new LayerGraph(layers.values())
}

/** @param below name of the layer that it reads from */
export function layerOf(name: string, below: string | null, changes: Partial<Layer> = {}): Layer {
  return {
    path: `${machineFolder}/disks/${name}.qcow2`, own: `disks/${name}.qcow2`, below: below === null ? null : `${machineFolder}/disks/${below}.qcow2`, bytes: 2 ** 20, format: 'qcow2',
    virtualBytes: 2 ** 30, dirty: false, encrypted: false, internalSnapshots: 0, backing: below === null ? null : { name: `${below}.qcow2`, format: 'qcow2' }, isBlind: false, fault: null, ...changes,
  }
}

export function surveyOf(graph: LayerGraph, present: MachineDefinition, manifests: readonly SnapshotManifest[], changes: Partial<Survey> = {}): Survey {
  const stored: StoredMachine = { definition: present, paths: machinePaths(machineFolder, '/run/ringside', machineId) }
  return {
    stored, folder: machineFolder, graph, entries: graph.ownLayers().map(({ own, bytes }) => ({ own: own ?? '', kind: 'file', bytes })),
    snapshots: new Map(manifests.map((manifest): [string, SnapshotOnDisk] => [manifest.id, {
      manifest, files: snapshotFiles(stored.paths.snapshotsFolder, manifest.id), ram: null, hasScreen: false, folderBytes: 4096,
    }])),
    unreadable: [], deleted: [], strays: [], saved: null, outside: [], ...changes,
  }
}
