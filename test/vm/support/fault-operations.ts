import type { HostCalls } from './host-calls'

/** The snapshots of the machine that faults are tried on; see `growTree`. */
export interface Tree {
  /** Taken when off, before the guest ever ran. */
  root: string
  /** Taken of the running guest, with memory. `leaf` and `branch` stand on it. */
  middle: string
  /** Taken when off. */
  leaf: string
  /** Taken of the paused guest, with memory; the present goes on from it. */
  branch: string
}

export type Victim = 'host' | 'worker' | 'QEMU'

/** Something that changes snapshots or makes machines, and what may be gone or new after it, whole or not at all. */
export interface Operation {
  name: string
  /** What the machine is doing when it begins. */
  state: 'off' | 'running' | 'paused' | 'saved'
  /** Who is killed at each of its steps. */
  victims: readonly Victim[]
  run(calls: HostCalls, id: string, tree: Tree): Promise<unknown>
  deletes?: readonly (keyof Tree)[]
  /** The snapshot that the present may come to be. */
  revertsTo?: keyof Tree
  /** The snapshot that a clone is made of; `present`: what the machine is. */
  clones?: keyof Tree | 'present'
}

/** Each verb is tried with all of them once, on the running machine; what goes another way on the disk is tried with the host, which does that. */
const everyone = ['host', 'worker', 'QEMU'] as const
const host = ['host'] as const

const taken = { description: '', quiesce: false }
const cloned = (id: string, snapshotId: string | null, kind: 'full' | 'linked'): Parameters<HostCalls['clones']['clone']>[0] => ({
  id, snapshotId, kind, name: `Clone of ${id}`, warm: false,
})

export const takes: readonly Operation[] = [
  { name: 'take, off', state: 'off', victims: host, run: ({ snapshots }, id) => snapshots.take(id, { ...taken, name: 'new', memory: true }) },
  { name: 'take, running', state: 'running', victims: everyone, run: ({ snapshots }, id) => snapshots.take(id, { ...taken, name: 'new', memory: true }) },
  { name: 'take, running, disks only', state: 'running', victims: host, run: ({ snapshots }, id) => snapshots.take(id, { ...taken, name: 'new', memory: false }) },
  { name: 'take, paused', state: 'paused', victims: host, run: ({ snapshots }, id) => snapshots.take(id, { ...taken, name: 'new', memory: true }) },
  { name: 'take, saved', state: 'saved', victims: host, run: ({ snapshots }, id) => snapshots.take(id, { ...taken, name: 'new', memory: true }) },
]

export const reverts: readonly Operation[] = [
  {
    name: 'revert, off', state: 'off', victims: host, revertsTo: 'root',
    run: ({ snapshots }, id, { root }) => snapshots.revert(id, { snapshotId: root, memory: false, keepPresent: null, start: false }),
  },
  {
    name: 'revert, saved, keeping the present', state: 'saved', victims: host, revertsTo: 'leaf',
    run: ({ snapshots }, id, { leaf }) => snapshots.revert(id, { snapshotId: leaf, memory: false, keepPresent: 'kept', start: false }),
  },
  {
    name: 'revert, running, without memory', state: 'running', victims: host, revertsTo: 'leaf',
    run: ({ snapshots }, id, { leaf }) => snapshots.revert(id, { snapshotId: leaf, memory: false, keepPresent: null, start: true }),
  },
  {
    name: 'revert, running, with memory, keeping the present', state: 'running', victims: everyone, revertsTo: 'middle',
    run: ({ snapshots }, id, { middle }) => snapshots.revert(id, { snapshotId: middle, memory: true, keepPresent: 'kept', start: true }),
  },
]

export const deletions: readonly Operation[] = [
  { name: 'delete a leaf', state: 'off', victims: host, deletes: ['leaf'], run: ({ snapshots }, id, { leaf }) => snapshots.delete(id, leaf, { children: false }) },
  { name: 'delete one in the middle', state: 'off', victims: host, deletes: ['middle'], run: ({ snapshots }, id, { middle }) => snapshots.delete(id, middle, { children: false }) },
  { name: 'delete the root', state: 'off', victims: host, deletes: ['root'], run: ({ snapshots }, id, { root }) => snapshots.delete(id, root, { children: false }) },
  {
    name: 'delete with children', state: 'off', victims: host, deletes: ['middle', 'leaf', 'branch'],
    run: ({ snapshots }, id, { middle }) => snapshots.delete(id, middle, { children: true }),
  },
  { name: 'delete below a running guest', state: 'running', victims: everyone, deletes: ['branch'], run: ({ snapshots }, id, { branch }) => snapshots.delete(id, branch, { children: false }) },
  { name: 'delete the root below a running guest', state: 'running', victims: host, deletes: ['root'], run: ({ snapshots }, id, { root }) => snapshots.delete(id, root, { children: false }) },
]

export const clonings: readonly Operation[] = [
  { name: 'clone in full, off', state: 'off', victims: host, clones: 'present', run: ({ clones }, id) => clones.clone(cloned(id, null, 'full')) },
  { name: 'clone linked, of a snapshot', state: 'off', victims: host, clones: 'leaf', run: ({ clones }, id, { leaf }) => clones.clone(cloned(id, leaf, 'linked')) },
  { name: 'branch in full from a running guest', state: 'running', victims: everyone, clones: 'middle', run: ({ clones }, id, { middle }) => clones.clone(cloned(id, middle, 'full')) },
  { name: 'clone linked, of what a running guest is now', state: 'running', victims: everyone, clones: 'present', run: ({ clones }, id) => clones.clone(cloned(id, null, 'linked')) },
]

export const operations: readonly Operation[] = [...takes, ...reverts, ...deletions, ...clonings]
