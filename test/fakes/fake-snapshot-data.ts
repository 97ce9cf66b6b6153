import type { MachineDefinition, MachineView, Orphan, Snapshot, SnapshotProblem } from '@shared/model'
import { fakeDefinition, fakeIds, fakeView } from './fake-data'

/** Machines that are there for snapshots and clones. */
export const fakeCloneIds = {
  /** A template that was saved with its memory. */
  template: '88888888-8888-4888-8888-888888888888',
  templateClone: '99999999-9999-4999-8999-999999999999',
  otherTemplateClone: 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa',
  /** A linked clone of a snapshot of `web-01`. */
  snapshotClone: 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb',
  /** Its run is thrown away when it is off. */
  disposable: 'cccccccc-cccc-4ccc-8ccc-cccccccccccc',
  /** Its disk is a raw image outside its folder. */
  imported: 'dddddddd-dddd-4ddd-8ddd-dddddddddddd',
} as const

const idOf = (digits: string): string => `${digits}-0000-4000-8000-000000000000`

/** Snapshots of `web-01`, by what they are for. */
export const fakeSnapshotIds = {
  installed: idOf('5a10c001'),
  /** A linked clone stands on it. */
  base: idOf('5a10c002'),
  configured: idOf('5a20d110'),
  upgrade: idOf('5a31b7f0'),
  lastHour: idOf('5a42aa01'),
  hourBefore: idOf('5a42aa02'),
  experiment: idOf('6b0e9f31'),
  experimentTuned: idOf('6b1f4c88'),
} as const

/** A snapshot and the definition that it holds. */
export interface FakeSnapshot {
  /** Without the clones, which follow from the machines. */
  readonly snapshot: Omit<Snapshot, 'clones'>
  readonly definition: MachineDefinition
}

/** What the fake host has on its pretended drive about the snapshots of one machine. */
export interface FakeTree {
  snapshots: FakeSnapshot[]
  current: { parentId: string | null; sizeBytes: number }
  sharedBytes: number
  orphans: Orphan[]
  problems: SnapshotProblem[]
}

export function emptyTree(sizeBytes = 0): FakeTree {
  return { snapshots: [], current: { parentId: null, sizeBytes }, sharedBytes: 0, orphans: [], problems: [] }
}

const mebi = 2 ** 20

export const fakeMemory = (mebibytes: number): NonNullable<Snapshot['memory']> => ({ format: 'stream', compression: 'none', qemuVersion: '7.2.22', accelerator: 'tcg', sizeBytes: mebibytes * mebi })

/** A snapshot that was taken by hand of a machine that was off, unless told otherwise. */
export function fakeSnapshot(id: string, parentId: string | null, name: string, takenAt: string, changes: Partial<Omit<Snapshot, 'clones'>> = {}): Omit<Snapshot, 'clones'> {
  return {
    id, parentId, name, description: '', takenAt, kind: 'manual', machineState: 'stopped', method: 'none', pauseMs: null, quiesced: false, notes: [], memory: null,
    sizeBytes: 12 * mebi, hasScreen: false, ...changes,
  }
}

const live = { machineState: 'running', method: 'live', hasScreen: true } as const
const paused: Partial<FakeSnapshot['snapshot']> = {
  machineState: 'running', method: 'paused', hasScreen: true, memory: fakeMemory(1388), pauseMs: 2840,
  notes: ['The guest stood still while its memory was written: this QEMU can’t write it while the guest goes on.'],
}

/** `web-01`: three levels, branches, every method of memory. */
function richTree(definition: MachineDefinition): FakeTree {
  const ids = fakeSnapshotIds
  const small: MachineDefinition = { ...definition, memoryMiB: 1024, processors: { ...definition.processors, cores: 1 }, notes: '' }
  const twoDisks: MachineDefinition = {
    ...definition, disks: [...definition.disks, { id: 'disk1', image: { kind: 'own', path: 'disks/disk1.qcow2' }, format: 'qcow2', bus: 'virtio-blk', readOnly: false, cache: 'auto', discard: true, detectZeroes: 'auto', aio: 'auto', serial: null, limits: null, slot: null, encrypted: false }],
  }
  const of = (snapshot: FakeSnapshot['snapshot'], then: MachineDefinition = definition): FakeSnapshot => ({ snapshot, definition: { ...then, snapshotParentId: snapshot.parentId } })
  return {
    snapshots: [
      of(fakeSnapshot(ids.installed, null, 'Installed', '2026-11-02T09:14:07.000Z', { description: 'Debian 12, nothing but the base system.\nThe root password is in the safe.', sizeBytes: 1_412 * mebi }), small),
      of(fakeSnapshot(ids.base, ids.installed, 'Base of staging', '2026-11-03T16:40:00.000Z', { kind: 'base', sizeBytes: 393_216 }), small),
      of(fakeSnapshot(ids.configured, ids.installed, 'Configured', '2026-11-04T11:02:55.000Z', { ...live, memory: fakeMemory(1204), pauseMs: 4, quiesced: true, sizeBytes: 1_530 * mebi, description: 'nginx, PostgreSQL and the certificates are in place.' })),
      of(
        fakeSnapshot(ids.upgrade, ids.configured, 'Before the upgrade to Debian 13, with the database moved over to a second disk of its own', '2026-11-12T18:30:12.000Z', { ...paused, sizeBytes: 1_702 * mebi }),
        twoDisks,
      ),
      of(fakeSnapshot(ids.experiment, ids.configured, 'Experiment', '2026-11-15T20:05:41.000Z', {
        ...live, method: 'none', pauseMs: 3, sizeBytes: 218 * mebi,
        notes: ['Only the disks were kept: QEMU can’t save this machine while its clipboard channel is in use.', 'The guest’s file systems were not held still: no guest agent answered.'],
      })),
      of(fakeSnapshot(ids.experimentTuned, ids.experiment, 'Experiment, tuned', '2026-11-16T08:21:00.000Z', { machineState: 'paused', method: 'paused', memory: fakeMemory(1190), hasScreen: true, sizeBytes: 1_260 * mebi })),
      of(fakeSnapshot(ids.hourBefore, ids.upgrade, 'Automatic 2026-11-20 14:00', '2026-11-20T14:00:00.000Z', { ...live, kind: 'automatic', method: 'none', pauseMs: 2, sizeBytes: 64 * mebi })),
      of(fakeSnapshot(ids.lastHour, ids.hourBefore, 'Automatic 2026-11-20 15:00', '2026-11-20T15:00:00.000Z', { ...live, kind: 'automatic', method: 'none', pauseMs: 2, sizeBytes: 31 * mebi })),
    ],
    current: { parentId: ids.lastHour, sizeBytes: 87 * mebi },
    sharedBytes: 340 * mebi,
    orphans: [
      { path: 'disks/disk0.0badf00d.qcow2', bytes: 196_608, about: 'A layer of disk0 that no snapshot and no disk names: a snapshot that was cut off, most likely.' },
      { path: 'snapshots/notes.txt', bytes: 412, about: 'A file that Ringside did not make.' },
    ],
    problems: [{
      path: `/home/ada/.local/share/Ringside/library/web-01-11111111/snapshots/${idOf('7c00dead')}/snapshot.json`, code: 'DEFINITION_DAMAGED',
      message: 'snapshot.json is no JSON: unexpected end at line 9.', hint: 'Its files are left as they are. Restore the file from a backup, or move the folder away.',
    }],
  }
}

/** `build-agent`: one after the other, by themselves, every hour. */
function longTree(definition: MachineDefinition): FakeTree {
  const first = Date.UTC(2026, 10, 18, 8)
  const snapshots = Array.from({ length: 50 }, (_, index): FakeSnapshot => {
    const id = (number: number): string => idOf((0x0c00_0000 + number * 0x10_1011).toString(16).padStart(8, '0'))
    const takenAt = new Date(first + index * 3_600_000).toISOString()
    const snapshot = fakeSnapshot(id(index), index === 0 ? null : id(index - 1), `Automatic ${takenAt.slice(0, 16).replace('T', ' ')}`, takenAt, {
      kind: 'automatic', machineState: 'running', hasScreen: true, pauseMs: 2, sizeBytes: (8 + ((index * 37) % 90)) * mebi,
    })
    return { snapshot, definition }
  })
  return { ...emptyTree(22 * mebi), snapshots, current: { parentId: snapshots.at(-1)?.snapshot.id ?? null, sizeBytes: 22 * mebi } }
}

/** The trees that are there at first; any other machine has an empty one. */
export function fakeTrees(machines: readonly MachineView[]): Map<string, FakeTree> {
  const makers: Readonly<Record<string, (definition: MachineDefinition) => FakeTree>> = { [fakeIds.running]: richTree, [fakeIds.busy]: longTree }
  return new Map(machines.map(({ id, definition }) => [id, makers[id]?.(definition) ?? emptyTree(definition.disks.length > 0 ? 2_200 * mebi : 0)]))
}

/** A template with linked clones, a linked clone of a snapshot, a disposable run, a machine whose disk is in no form for snapshots. */
export function fakeCloneMachines(): MachineView[] {
  const linked = (id: string, name: string, machineId: string, machineName: string, snapshotId: string | null): MachineDefinition =>
    fakeDefinition(id, name, { origin: { kind: 'linked', machineId, machineName, snapshotId }, memoryMiB: 1024 })
  const ids = fakeCloneIds
  const scratch = fakeView(fakeDefinition(ids.disposable, 'scratch', { memoryMiB: 512, osId: 'alpine' }), 'running')
  return [
    fakeView(fakeDefinition(ids.template, 'golden', { template: true, memoryMiB: 1024, notes: 'Made new on the first of each month.' }), 'saved', {
      saved: { at: '2026-11-01T10:00:00.000Z', sizeBytes: 402 * mebi, qemuVersion: '7.2.22' },
    }),
    fakeView(linked(ids.templateClone, 'shop-01', ids.template, 'golden', null), 'running'),
    fakeView(linked(ids.otherTemplateClone, 'shop-02', ids.template, 'golden', null), 'stopped'),
    fakeView(linked(ids.snapshotClone, 'staging', fakeIds.running, 'web-01', fakeSnapshotIds.base), 'stopped'),
    { ...scratch, run: scratch.run && { ...scratch.run, disposable: true } },
    fakeView(fakeDefinition(ids.imported, 'imported', {
      disks: [
        { id: 'disk0', image: { kind: 'external', path: '/srv/images/old-server.img' }, format: 'raw', bus: 'sata', readOnly: false, cache: 'auto', discard: true, detectZeroes: 'auto', aio: 'auto', serial: null, limits: null, slot: null, encrypted: false },
        { id: 'disk1', image: { kind: 'external', path: '/srv/images/reference-data.img' }, format: 'raw', bus: 'sata', readOnly: true, cache: 'auto', discard: true, detectZeroes: 'auto', aio: 'auto', serial: null, limits: null, slot: null, encrypted: false },
      ],
    }), 'stopped'),
  ]
}
