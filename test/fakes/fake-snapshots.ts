import { randomUUID } from 'node:crypto'
import type { Snapshots } from '@core/app/services'
import { cloneNames } from '@core/snapshot/delete'
import { refuseObstacles } from '@core/snapshot/obstacles'
import { RingsideError, invalidInput, type Issue } from '@shared/errors'
import { memoryIsPlain, isLive, type DefinitionDifference, type MachineDefinition, type MachineView, type MemoryMethod, type Snapshot, type SnapshotPlan, stateInWords, whyRefused } from '@shared/model'
import { fakeIds } from './fake-data'
import { fakePng } from './fake-png'
import { fakeMemory, fakeSnapshot, type FakeSnapshot } from './fake-snapshot-data'
import type { FakeTrees } from './fake-trees'

/** What an empty overlay takes, bytes. */
const emptyLayerBytes = 196_608

/** Snapshots that behave, in memory: trees change, time passes, what is refused is refused. */
export function createFakeSnapshots(trees: FakeTrees): Snapshots {
  const { machines } = trees

  const shown = (id: string, { snapshot }: FakeSnapshot): Snapshot => ({ ...snapshot, clones: trees.clones(id, snapshot.id) })

  const requireFreeName = (id: string, name: string, except?: string): void => {
    const taken = trees.of(id).snapshots.some(({ snapshot }) => snapshot.id !== except && snapshot.name.toLowerCase() === name.toLowerCase())
    if (taken) throw new RingsideError('NAME_TAKEN', `“${machines.get(id).definition.name}” has a snapshot named “${name}” already; choose another name.`)
  }

  const planOf = (id: string): SnapshotPlan => {
    const machine = machines.get(id)
    const issues: Issue[] = []
    const why = whyRefused('takeSnapshot', machine)
    if (why !== null) issues.push({ path: '', message: why, code: 'ILLEGAL_STATE', severity: 'error' })
    if (memoryOf(machine).method !== 'none' && machine.definition.disks.some(({ encrypted }) => encrypted)) issues.push({ path: 'memory', message: memoryIsPlain, severity: 'warning' })
    return {
      memory: memoryOf(machine),
      freeze: machine.state === 'running' && machine.definition.guestAgent
        ? { available: true, reason: null }
        : { available: false, reason: machine.definition.guestAgent ? `The machine is ${stateInWords(machine.state)}, so nothing writes to its file systems.` : 'This machine has no channel for a guest agent.' },
      obstacles: machine.definition.disks.filter((disk) => !disk.readOnly && disk.image.kind === 'external').map((disk) => ({
        diskId: disk.id, reason: `It lies outside the machine's folder, where others may change it: ${disk.image.path}`, convertible: true, bytes: 6 * 2 ** 30,
      })),
      estimatedBytes: memoryOf(machine).method === 'none' ? emptyLayerBytes : machine.definition.memoryMiB * 2 ** 20,
      issues,
    }
  }

  const record = (id: string, name: string, changes: Partial<FakeSnapshot['snapshot']>): FakeSnapshot => {
    const machine = machines.get(id)
    const { current, snapshots } = trees.of(id)
    const { method, reason } = memoryOf(machine)
    const kept = changes.method ?? method
    const memory = kept === 'none' ? null : fakeMemory(Math.round(machine.definition.memoryMiB * 0.6))
    const made: FakeSnapshot = {
      definition: machine.definition,
      snapshot: fakeSnapshot(randomUUID(), current.parentId, name, new Date().toISOString(), {
        machineState: machine.state, method: kept, memory, hasScreen: isLive(machine.state) && machine.definition.display.model !== 'none',
        pauseMs: machine.state !== 'running' ? null : kept === 'paused' ? 1840 : 4, notes: reason === null ? [] : [reason],
        sizeBytes: current.sizeBytes + (memory?.sizeBytes ?? 0), ...changes,
      }),
    }
    trees.change(id, { snapshots: [...snapshots, made], current: { parentId: made.snapshot.id, sizeBytes: emptyLayerBytes } })
    return made
  }

  return {
    // eslint-disable-next-line @typescript-eslint/require-await
    async tree(id) {
      const { snapshots, ...rest } = trees.of(id)
      return { machineId: id, snapshots: snapshots.map((one) => shown(id, one)), ...rest, freeBytes: 212 * 2 ** 30 }
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    plan: async (id) => planOf(id),
    async take(id, { name, description, memory, quiesce }, reporter) {
      trees.require(id, 'takeSnapshot')
      requireFreeName(id, name)
      const { issues, obstacles, freeze } = planOf(id)
      const [fault] = issues.filter(({ severity }) => severity === 'error')
      if (fault) throw new RingsideError('ILLEGAL_STATE', fault.message)
      refuseObstacles(obstacles, machines.get(id).definition.name)
      if (quiesce && machines.get(id).state === 'running' && !freeze.available) {
        throw new RingsideError('CAPABILITY_MISSING', `The file systems of “${machines.get(id).definition.name}” can't be held still. ${freeze.reason ?? ''}`, { hint: 'Take the snapshot without that; its disks are then as after a power cut.' })
      }
      const steps = memory && memoryOf(machines.get(id)).method !== 'none' ? ['Making layers', 'Writing memory'] : ['Making layers']
      return trees.task(id, 'snapshot', steps, reporter, () =>
        shown(id, record(id, name, { description, quiesced: quiesce, ...(memory ? {} : { method: 'none' as const }), ...(memory || !isLive(machines.get(id).state) ? {} : { notes: ['Only the disks were kept, as asked.'] }) })))
    },
    async revert(id, { snapshotId, memory, keepPresent, start }, reporter) {
      trees.require(id, 'revert')
      const { snapshot, definition } = trees.snapshot(id, snapshotId)
      if (keepPresent !== null) requireFreeName(id, keepPresent)
      await trees.task(id, 'revert', [...(keepPresent === null ? [] : ['Keeping the present']), 'Making layers', ...(start ? ['Starting the machine'] : [])], reporter, () => {
        if (keepPresent !== null) record(id, keepPresent, {})
        const { id: ownId, name, notes, origin, snapshotPolicy, createdAt } = machines.get(id).definition
        machines.set(id, { definition: { ...definition, id: ownId, name, notes, origin, snapshotPolicy, createdAt } })
        trees.change(id, { current: { parentId: snapshotId, sizeBytes: emptyLayerBytes } })
        const withMemory = memory && snapshot.memory !== null
        const then = start ? (withMemory && snapshot.machineState === 'paused' ? 'paused' : 'running') : withMemory ? 'saved' : 'stopped'
        machines.toState(id, then, { crash: null, saved: then === 'saved' ? { at: snapshot.takenAt, sizeBytes: snapshot.memory?.sizeBytes ?? 0, qemuVersion: '7.2.22' } : null })
      })
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    async change(id, snapshotId, { name, description }) {
      const found = trees.snapshot(id, snapshotId)
      if (name !== undefined) requireFreeName(id, name, snapshotId)
      const changed = { ...found, snapshot: { ...found.snapshot, ...(name === undefined ? {} : { name }), ...(description === undefined ? {} : { description }) } }
      trees.change(id, { snapshots: trees.of(id).snapshots.map((one) => (one === found ? changed : one)) })
      return shown(id, changed)
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    deletePlan: async (id, snapshotId, { children }) => deletePlanOf(trees, id, snapshotId, children),
    async delete(id, snapshotId, { children }, reporter) {
      trees.require(id, 'deleteSnapshot')
      const { issues, freesBytes, laterBytes, snapshots } = deletePlanOf(trees, id, snapshotId, children)
      if (issues.length > 0) throw invalidInput(issues)
      return trees.task(id, 'deleteSnapshot', ['Deleting', 'Merging layers'], reporter, () => {
        const gone = new Map(snapshots.map((one) => [one.id, trees.snapshot(id, one.id).snapshot.parentId]))
        const remaining = (parentId: string | null): string | null => (parentId !== null && gone.has(parentId) ? remaining(gone.get(parentId) ?? null) : parentId)
        const { current, sharedBytes, snapshots: all } = trees.of(id)
        trees.change(id, {
          snapshots: all.filter(({ snapshot }) => !gone.has(snapshot.id)).map((one) => ({ ...one, snapshot: { ...one.snapshot, parentId: remaining(one.snapshot.parentId) } })),
          current: { ...current, parentId: remaining(current.parentId) }, sharedBytes: sharedBytes + laterBytes,
        })
        return { freedBytes: freesBytes }
      })
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    compare: async (id, snapshotId) => differences(trees.snapshot(id, snapshotId).definition, machines.get(id).definition),
    // eslint-disable-next-line @typescript-eslint/require-await
    async screen(id, snapshotId) {
      const { hasScreen } = trees.snapshot(id, snapshotId).snapshot
      return hasScreen ? fakePng(parseInt(snapshotId.slice(0, 8), 16) % 97, 640, 400) : null
    },
    async cleanUp(id, paths, { permanently: _permanently }, reporter) {
      trees.require(id, 'deleteSnapshot')
      const { orphans } = trees.of(id)
      const wanted = orphans.filter(({ path }) => paths.includes(path))
      const unknown = paths.find((path) => !orphans.some((orphan) => orphan.path === path))
      if (unknown !== undefined) throw new RingsideError('INVALID_INPUT', `${unknown} is none of the files that belong to nothing.`, { path: unknown, hint: 'Look at the list again.' })
      return trees.task(id, 'cleanUp', ['Moving files to the trash'], reporter, () => {
        trees.change(id, { orphans: orphans.filter((orphan) => !wanted.includes(orphan)) })
        return { freedBytes: wanted.reduce((sum, { bytes }) => sum + bytes, 0) }
      })
    },
    async convertDisks(id, reporter) {
      trees.require(id, 'convertDisks')
      await trees.task(id, 'convert', ['Copying disk0'], reporter, () => {
        const { definition } = machines.get(id)
        const disks = definition.disks.map((disk) => (disk.readOnly ? disk : { ...disk, format: 'qcow2' as const, image: { kind: 'own' as const, path: `disks/${disk.id}.qcow2` } }))
        machines.set(id, { definition: { ...definition, disks } })
        trees.change(id, {})
      })
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    async setPolicy(id, policy) {
      machines.set(id, { definition: { ...machines.get(id).definition, snapshotPolicy: policy } })
    },
    onChange: trees.changes.on,
  }
}

function memoryOf({ id, state }: MachineView): { method: MemoryMethod; reason: string | null } {
  if (state === 'paused' || state === 'saved') return { method: 'paused', reason: null }
  if (state !== 'running') return { method: 'none', reason: null }
  if (id === fakeIds.busy) return { method: 'paused', reason: 'The guest stands still while its memory is written: this QEMU can’t write it while the guest goes on.' }
  if (id === fakeIds.headless) return { method: 'none', reason: 'Only the disks are kept: QEMU can’t save this machine while its clipboard channel is in use.' }
  return { method: 'live', reason: null }
}

function deletePlanOf(trees: FakeTrees, id: string, snapshotId: string, children: boolean): Awaited<ReturnType<Snapshots['deletePlan']>> {
  const all = trees.of(id).snapshots.map(({ snapshot }) => snapshot)
  const why = whyRefused('deleteSnapshot', trees.machines.get(id))
  const refusal: Issue[] = why === null ? [] : [{ path: '', message: why, code: 'ILLEGAL_STATE', severity: 'error' }]
  const target = trees.snapshot(id, snapshotId).snapshot
  const below = (one: typeof target): (typeof target)[] => [one, ...all.filter(({ parentId }) => parentId === one.id).flatMap(below)]
  const goes = children ? below(target) : [target]
  const branches = all.filter(({ parentId }) => parentId === snapshotId).length
  const layers = goes.reduce((sum, one) => sum + one.sizeBytes, 0)
  const laterBytes = !children && branches > 1 ? target.sizeBytes - (target.memory?.sizeBytes ?? 0) : 0
  return {
    snapshots: goes.map(({ id: goneId, name }) => ({ id: goneId, name })),
    freesBytes: layers - laterBytes,
    laterBytes,
    notes: laterBytes > 0 ? [`${String(branches)} branches share the disks of “${target.name}”; they stay until only one of those is left.`] : [],
    issues: [...refusal, ...goes.flatMap((one): Issue[] => {
      const clones = trees.clones(id, one.id)
      const [are, them] = clones.length === 1 ? ['is a linked clone and reads', 'it'] : ['are linked clones and read', 'them']
      const message = `${cloneNames(clones)} ${are} from it; make ${them} independent or delete ${them} first.`
      return clones.length === 0 ? [] : [{ path: 'snapshotId', message, code: 'DISK_IN_USE', severity: 'error' }]
    })],
  }
}

const compared: readonly (readonly [path: string, label: string, read: (definition: MachineDefinition) => string | null])[] = [
  ['memoryMiB', 'Memory', ({ memoryMiB }) => `${String(memoryMiB)} MiB`],
  ['processors', 'Processors', ({ processors }) => String(processors.sockets * processors.cores * processors.threads)],
  ['disks.disk1', 'Disk disk1', ({ disks }) => disks.find((disk) => disk.id === 'disk1')?.image.path ?? null],
]

function differences(then: MachineDefinition, now: MachineDefinition): DefinitionDifference[] {
  return compared.map(([path, label, read]) => ({ path, label, then: read(then), now: read(now) })).filter((one) => one.then !== one.now)
}
