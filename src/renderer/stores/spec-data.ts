import { machineSchemaVersion, type Job, MachineDefinition, type MachineState, type MachineView, type MetricsSample, type Snapshot, type SnapshotTree } from '@shared/model'

const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

export function aDefinition(n: number, changes: Partial<MachineDefinition> = {}): MachineDefinition {
  const definition = MachineDefinition.parse({
    schemaVersion: machineSchemaVersion, createdBy: 'ringside 0.1.0', id: id(n), name: `machine ${String(n)}`, createdAt: '2026-11-01T08:00:00.000Z', osId: 'debian', machineType: 'pc-q35-7.2', firmware: { type: 'bios' },
    processors: { sockets: 1, cores: 2, threads: 1 }, memoryMiB: 1024, boot: {}, display: { model: 'vga' },
  })
  return { ...definition, ...changes }
}

export function aMachine(n: number, state: MachineState = 'stopped', changes: Partial<MachineDefinition> = {}): MachineView {
  return { id: id(n), definition: aDefinition(n, changes), state, stateSince: '2026-11-21T08:00:00.000Z', next: null, task: null, folder: `/library/${String(n)}`, run: null, crash: null, saved: null }
}

export function aJob(n: number, changes: Partial<Job> = {}): Job {
  return {
    id: id(n), kind: 'machine.create', title: `Creating ${String(n)}`, machineId: null, state: 'running', progress: null, step: '', cancellable: true, automatic: false, notes: [],
    startedAt: `2026-11-21T08:00:0${String(n)}.000Z`, endedAt: null, error: null, ...changes,
  }
}

export function aSample(at: number, changes: Partial<MetricsSample> = {}): MetricsSample {
  return {
    at, cpuFraction: 0.5, hostCpuCores: 1, guestMemoryUsedBytes: null, guestMemoryBytes: null, hostMemoryBytes: 1, diskReadBytesPerSecond: 0, diskWriteBytesPerSecond: 0,
    networkReceiveBytesPerSecond: null, networkTransmitBytesPerSecond: null, ...changes,
  }
}

/** Snapshots have numbers of their own: that of id 1 is not the machine's. */
export function aSnapshot(n: number, parent: number | null = null, changes: Partial<Snapshot> = {}): Snapshot {
  return {
    id: snapshotId(n), parentId: parent === null ? null : snapshotId(parent), name: `snapshot ${String(n)}`, description: '', takenAt: `2026-11-21T09:${String(n).padStart(2, '0')}:00.000Z`, kind: 'manual',
    machineState: 'stopped', method: 'none', pauseMs: null, quiesced: false, notes: [], memory: null, sizeBytes: n * 1024, hasScreen: false, clones: [], ...changes,
  }
}

export function snapshotId(n: number): string {
  return `00000000-0000-4000-9000-${String(n).padStart(12, '0')}`
}

/** The snapshots of the machine of that number; the machine goes on from the last of them unless told otherwise. */
export function aTree(n: number, snapshots: Snapshot[], changes: Partial<SnapshotTree> = {}): SnapshotTree {
  return { machineId: id(n), snapshots, current: { parentId: snapshots.at(-1)?.id ?? null, sizeBytes: 2048 }, sharedBytes: 0, orphans: [], problems: [], freeBytes: 2 ** 40, ...changes }
}
