import { randomUUID } from 'node:crypto'
import type { Clones, JobReporter, Snapshots } from '@core/app/services'
import { adviceFor } from '@core/clone/advice'
import { requireNoClones } from '@core/clone/linked-clones'
import { RingsideError } from '@shared/errors'
import { isLive, type MachineDefinition, stateInWords } from '@shared/model'
import { fakeCatalog, fakeView } from './fake-data'
import type { FakeTrees } from './fake-trees'

/** Clones and templates that behave, in memory. */
export function createFakeClones(trees: FakeTrees, snapshots: Pick<Snapshots, 'take'>, save: (id: string, reporter: JobReporter) => Promise<unknown>): Clones {
  const { machines } = trees

  return {
    async clone({ id, snapshotId, name, kind, warm, encryption }, job) {
      const source = trees.require(id, 'clone')
      if (machines.list().some(({ definition }) => definition.name.toLowerCase() === name.toLowerCase())) {
        throw new RingsideError('NAME_TAKEN', `A machine named “${name}” exists already; choose another name.`)
      }
      const from = snapshotId === null ? null : trees.snapshot(id, snapshotId)
      const hasMemory = from === null ? source.saved !== null || isLive(source.state) : from.snapshot.memory !== null
      if (warm && !hasMemory) {
        throw new RingsideError('CAPABILITY_MISSING', `${from === null ? `“${source.definition.name}”` : `The snapshot “${from.snapshot.name}”`} has no memory that a clone could go on from.`, { hint: 'Make a cold clone, or save the machine to disk first.' })
      }
      const needsBase = snapshotId === null && !source.definition.template && (kind === 'linked' || isLive(source.state))
      const base = needsBase ? await snapshots.take(id, { name: `Base of ${name}`, description: '', memory: warm, quiesce: false }, job) : null
      return trees.task(id, 'clone', kind === 'full' ? ['Copying disk0'] : ['Making layers'], job, () => {
        const cloneId = randomUUID()
        const original = from?.definition ?? source.definition
        const definition: MachineDefinition = {
          ...original, disks: original.disks.map((disk) => (encryption === undefined ? disk : { ...disk, encrypted: encryption !== 'none' })), id: cloneId, name, createdAt: new Date().toISOString(), template: false, snapshotParentId: null, snapshotPolicy: null,
          origin: { kind, machineId: id, machineName: source.definition.name, snapshotId: snapshotId ?? base?.id ?? null },
        }
        machines.add(fakeView(definition, warm ? 'saved' : 'stopped', warm ? { saved: { at: new Date().toISOString(), sizeBytes: source.saved?.sizeBytes ?? from?.snapshot.memory?.sizeBytes ?? 0, qemuVersion: '7.2.22' } } : {}))
        trees.change(id, {})
        for (const advice of adviceFor({ warm }, definition, fakeCatalog)) job.note?.(advice)
        return cloneId
      })
    },
    async makeTemplate(id, { memory }, reporter) {
      const machine = trees.require(id, 'makeTemplate')
      if (isLive(machine.state) && !memory) {
        throw new RingsideError('ILLEGAL_STATE', `No template can be made of “${machine.definition.name}” while it is ${stateInWords(machine.state)}.`, { state: machine.state, hint: 'Shut it down first; or keep its memory, so that its clones go on from this moment.' })
      }
      if (isLive(machine.state)) await save(id, reporter)
      await trees.task(id, 'template', ['Freezing the disks'], reporter, () => machines.set(id, { definition: { ...machines.get(id).definition, template: true } }))
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    async unmakeTemplate(id) {
      const machine = trees.require(id, 'unmakeTemplate')
      requireNoClones(machine.definition.name, trees.clones(id), 'turned back into a machine')
      machines.set(id, { definition: { ...machine.definition, template: false } })
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    linkedClones: async (id) => {
      machines.get(id)
      return trees.clones(id)
    },
    async detach(id, reporter) {
      const { definition } = trees.require(id, 'detach')
      const { origin } = definition
      if (origin?.kind !== 'linked') throw new RingsideError('ILLEGAL_STATE', `“${definition.name}” reads from no other machine; it is independent already.`, { state: machines.get(id).state })
      await trees.task(id, 'detach', ['Copying disk0'], reporter, () => machines.set(id, { definition: { ...machines.get(id).definition, origin: { ...origin, kind: 'full' } } }))
      trees.changes.emit(origin.machineId)
    },
  }
}
