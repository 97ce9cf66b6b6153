import { implement } from '@orpc/server'
import { contract, contractVersion, type HostEvent, type MetricsEvent, type ThumbnailEvent } from '@shared/contract'
import { RingsideError, invalidInput } from '@shared/errors'
import { consolePortCount, memoryIsPlain, whyRefused, type Job, type JobKind, type MachineAction, type MachineView } from '@shared/model'
import { isCancellable, jobKindOf, titleOf } from '../images'
import { readLogTail } from './log-tail'
import type { HostServices, RunningJob } from './services'
import { subscription } from './subscription'

/** What every procedure is given. */
export interface RpcContext {
  host: HostServices
}

const os = implement(contract).$context<RpcContext>()

/** Samples that a slow client may get at once for one machine: the length of the history. */
const maxSamplesPerEvent = 600

/** The use cases behind the contract. Each one only joins services; whatever has a rule of its own lives there. */
export const router = os.router({
  host: {
    info: os.host.info.handler(({ context }) => context.host.info()),
    watch: os.host.watch.handler(({ context, signal }) => watchHost(context.host, signal)),
    probe: os.host.probe.handler(({ context, input }) => (input.refresh ? context.host.probe.refresh() : context.host.probe.current())),
    devices: os.host.devices.handler(({ context }) => context.host.devices()),
    catalog: os.host.catalog.handler(({ context }) => context.host.catalog),
    settings: os.host.settings.handler(({ context }) => context.host.settings.get()),
    changeSettings: os.host.changeSettings.handler(({ context, input }) => context.host.settings.change(withoutUndefined(input))),
  },
  machine: {
    list: os.machine.list.handler(({ context }) => context.host.machines.list()),
    get: os.machine.get.handler(({ context, input }) => context.host.machines.get(input.id)),
    check: os.machine.check.handler(({ context, input }) => context.host.creation.check(input)),
    create: os.machine.create.handler(async ({ context: { host }, input }) => {
      const { startWhenCreated, ...request } = input
      const faults = (await host.creation.check(request)).filter((issue) => issue.severity === 'error')
      if (faults.length > 0) throw invalidInput(faults)
      return host.jobs.run(
        { kind: 'machine.create', title: `Creating “${request.name}”`, machineId: null, cancellable: true },
        async (job) => startCreated(host, await host.creation.create(request, job), startWhenCreated, job),
      )
    }),
    createSample: os.machine.createSample.handler(({ context: { host }, input }) =>
      host.jobs.run(
        { kind: 'machine.create', title: input.name === undefined ? 'Creating the sample machine' : `Creating “${input.name}”`, machineId: null, cancellable: true },
        async (job) => startCreated(host, await host.creation.createSample(input.name, job), input.startWhenCreated, job),
      ),
    ),
    start: os.machine.start.handler(({ context, input }) => context.host.machines.start(input.id, { disposable: input.disposable })),
    pause: os.machine.pause.handler(({ context, input }) => context.host.machines.pause(input.id)),
    resume: os.machine.resume.handler(({ context, input }) => context.host.machines.resume(input.id)),
    shutDown: os.machine.shutDown.handler(({ context, input }) => context.host.machines.shutDown(input.id)),
    reset: os.machine.reset.handler(({ context, input }) => context.host.machines.reset(input.id)),
    powerOff: os.machine.powerOff.handler(({ context, input }) => context.host.machines.powerOff(input.id)),
    save: os.machine.save.handler(({ context: { host }, input }) => {
      const machine = host.machines.get(input.id)
      // Refused now rather than in a job that fails at once.
      requireLegal('save', machine)
      return host.jobs.run(
        { kind: 'machine.save', title: `Saving “${machine.definition.name}”`, machineId: machine.id, cancellable: true },
        async (job) => {
          await host.machines.save(machine.id, job)
          if (machine.definition.disks.some(({ encrypted }) => encrypted)) job.note(memoryIsPlain)
        },
      )
    }),
    discardSaved: os.machine.discardSaved.handler(({ context, input }) => context.host.machines.discardSaved(input.id)),
    rename: os.machine.rename.handler(({ context, input }) => context.host.machines.rename(input.id, input.name)),
    deletePlan: os.machine.deletePlan.handler(({ context, input }) => context.host.library.deletePlan(input.id)),
    delete: os.machine.delete.handler(({ context, input }) => context.host.machines.delete(input.id, { permanently: input.permanently })),
    clone: os.machine.clone.handler(async ({ context: { host }, input }) => {
      const { startWhenCreated, ...request } = input
      const machine = host.machines.get(input.id)
      requireLegal('clone', machine)
      await host.encryption.requireFor(input.id)
      return host.jobs.run(
        { kind: 'machine.clone', title: `Cloning “${machine.definition.name}” as “${request.name}”`, machineId: null, cancellable: true },
        async (job) => startCreated(host, await host.clones.clone(request, job), startWhenCreated, job),
      )
    }),
    makeTemplate: os.machine.makeTemplate.handler(({ context: { host }, input }) =>
      jobOf(host, input.id, 'makeTemplate', { kind: 'machine.template', title: (name) => `Making a template of ${name}`, cancellable: true }, (job) => host.clones.makeTemplate(input.id, { memory: input.memory }, job)),
    ),
    unmakeTemplate: os.machine.unmakeTemplate.handler(async ({ context: { host }, input }) => {
      await host.clones.unmakeTemplate(input.id)
      return host.machines.get(input.id)
    }),
    linkedClones: os.machine.linkedClones.handler(({ context, input }) => context.host.clones.linkedClones(input.id)),
    detach: os.machine.detach.handler(({ context: { host }, input }) =>
      unlockedJobOf(host, input.id, 'detach', { kind: 'disk.convert', title: (name) => `Making ${name} independent`, cancellable: true }, (job) => host.clones.detach(input.id, job)),
    ),
    screenshot: os.machine.screenshot.handler(async ({ context, input }) => {
      const png = await context.host.machines.screenshot(input.id)
      return new Blob([new Uint8Array(png)], { type: 'image/png' })
    }),
    commandLine: os.machine.commandLine.handler(({ context, input }) => context.host.machines.commandLine(input.id)),
    log: os.machine.log.handler(async ({ context, input }) => {
      const { paths } = context.host.library.get(input.id)
      const path = { machine: paths.machineLog, qemu: paths.qemuLog, serial0: paths.serialLog(0) }[input.log]
      return { path, text: await readLogTail(path, input.maxBytes) }
    }),
  },
  snapshot: {
    tree: os.snapshot.tree.handler(({ context, input }) => context.host.snapshots.tree(input.id)),
    plan: os.snapshot.plan.handler(({ context, input }) => context.host.snapshots.plan(input.id)),
    take: os.snapshot.take.handler(({ context: { host }, input }) => {
      const { id, ...request } = input
      return unlockedJobOf(host, id, 'takeSnapshot', { kind: 'snapshot.take', title: (name) => `Taking the snapshot “${request.name}” of ${name}`, cancellable: true }, async (job) => {
        await host.snapshots.take(id, request, job)
      })
    }),
    revert: os.snapshot.revert.handler(({ context: { host }, input }) => {
      const { id, ...request } = input
      return unlockedJobOf(host, id, 'revert', { kind: 'snapshot.revert', title: (name) => `Reverting ${name}`, cancellable: true }, (job) => host.snapshots.revert(id, request, job))
    }),
    change: os.snapshot.change.handler(({ context, input: { id, snapshotId, ...change } }) => context.host.snapshots.change(id, snapshotId, withoutUndefined(change))),
    deletePlan: os.snapshot.deletePlan.handler(({ context, input }) => context.host.snapshots.deletePlan(input.id, input.snapshotId, { children: input.children })),
    delete: os.snapshot.delete.handler(({ context: { host }, input: { id, snapshotId, children } }) =>
      unlockedJobOf(host, id, 'deleteSnapshot', { kind: 'snapshot.delete', title: (name) => `Deleting ${children ? 'snapshots' : 'a snapshot'} of ${name}`, cancellable: true }, async (job) => {
        await host.snapshots.delete(id, snapshotId, { children }, job)
      }),
    ),
    compare: os.snapshot.compare.handler(({ context, input }) => context.host.snapshots.compare(input.id, input.snapshotId)),
    screen: os.snapshot.screen.handler(async ({ context, input }) => {
      const png = await context.host.snapshots.screen(input.id, input.snapshotId)
      return png === null ? null : new Blob([new Uint8Array(png)], { type: 'image/png' })
    }),
    cleanUp: os.snapshot.cleanUp.handler(({ context: { host }, input: { id, paths, permanently } }) =>
      jobOf(host, id, 'deleteSnapshot', { kind: 'snapshot.cleanUp', title: (name) => `Tidying the folder of ${name}`, cancellable: false }, async (job) => {
        await host.snapshots.cleanUp(id, paths, { permanently }, job)
      }),
    ),
    convertDisks: os.snapshot.convertDisks.handler(({ context: { host }, input }) =>
      jobOf(host, input.id, 'convertDisks', { kind: 'disk.convert', title: (name) => `Converting the disks of ${name}`, cancellable: true }, (job) => host.snapshots.convertDisks(input.id, job)),
    ),
    setPolicy: os.snapshot.setPolicy.handler(async ({ context: { host }, input }) => {
      await host.snapshots.setPolicy(input.id, input.policy)
      return host.machines.get(input.id)
    }),
  },
  hardware: {
    properties: os.hardware.properties.handler(({ context, input }) => context.host.hardware.properties(input.id)),
    plan: os.hardware.plan.handler(({ context, input }) => context.host.hardware.plan(input.id, input.hardware)),
    change: os.hardware.change.handler(async ({ context: { host }, input }) => {
      const differences = await host.hardware.change(input.id, input.hardware, input.basedOn, { forceDiscs: input.forceDiscs, again: input.again })
      return { machine: host.machines.get(input.id), differences }
    }),
    discardPending: os.hardware.discardPending.handler(async ({ context, input }) => {
      await context.host.hardware.discardPending(input.id)
      return context.host.machines.get(input.id)
    }),
    addDisk: os.hardware.addDisk.handler(async ({ context: { host }, input: { id, ...disk } }) => {
      if (disk.encrypted === true) await host.encryption.require(id)
      return jobOf(host, id, 'changeHardware', { kind: 'disk.add', title: (name) => `Adding a disk to ${name}`, cancellable: true }, (job) => host.hardware.addDisk(id, disk, job))
    }),
    removeDisk: os.hardware.removeDisk.handler(({ context: { host }, input: { id, ...request } }) =>
      jobOf(host, id, 'changeHardware', { kind: 'disk.remove', title: (name) => `Taking the disk “${request.diskId}” out of ${name}`, cancellable: false }, (job) => host.hardware.removeDisk(id, request, job)),
    ),
    history: os.hardware.history.handler(({ context, input }) => context.host.hardware.history(input.id)),
    version: os.hardware.version.handler(({ context, input }) => context.host.hardware.version(input.id, input.versionId)),
  },
  encryption: {
    support: os.encryption.support.handler(({ context }) => context.host.encryption.support()),
    state: os.encryption.state.handler(({ context, input }) => context.host.encryption.state(input.id)),
    unlock: os.encryption.unlock.handler(async ({ context: { host }, input }) => {
      await host.encryption.unlock(input.id, input.passphrase, input.remember)
      return host.encryption.state(input.id)
    }),
    lock: os.encryption.lock.handler(({ context: { host }, input }) => {
      host.encryption.lock(input.id)
      return host.encryption.state(input.id)
    }),
    setPassphrase: os.encryption.setPassphrase.handler(async ({ context: { host }, input }) => {
      await host.encryption.setPassphrase(input.id, input.current, input.passphrase, input.remember)
      return host.encryption.state(input.id)
    }),
    remember: os.encryption.remember.handler(async ({ context: { host }, input }) => {
      await host.encryption.remember(input.id)
      return host.encryption.state(input.id)
    }),
    forget: os.encryption.forget.handler(async ({ context: { host }, input }) => {
      await host.encryption.forget(input.id)
      return host.encryption.state(input.id)
    }),
    diskKey: os.encryption.diskKey.handler(async ({ context, input }) => ({ key: await context.host.encryption.reveal(input.id, input.passphrase) })),
  },
  backup: {
    list: os.backup.list.handler(({ context, input }) => context.host.backups.list(input)),
    create: os.backup.create.handler(async ({ context: { host }, input }) => {
      await host.backups.requirePossible(input)
      return jobOf(host, input.id, 'backUp', { kind: 'backup.create', title: (name) => `Backing up ${name}`, cancellable: true }, (job) => host.backups.create(input, job))
    }),
    verify: os.backup.verify.handler(async ({ context: { host }, input }) => {
      const { id, name } = await host.backups.machineOf(input)
      return host.jobs.run({ kind: 'backup.verify', title: `Verifying a backup of “${name}”`, machineId: here(host, id), cancellable: true }, (job) => host.backups.verify(input, job))
    }),
    restore: os.backup.restore.handler(async ({ context: { host }, input: { startWhenRestored, ...request } }) => {
      const { id, name } = await host.backups.machineOf(request)
      if (request.target.kind === 'same') requireLegal('restore', host.machines.get(id))
      return host.jobs.run({ kind: 'backup.restore', title: request.target.kind === 'new' ? `Restoring “${name}” as “${request.target.name}”` : `Restoring “${name}”`, machineId: request.target.kind === 'new' ? null : id, cancellable: true }, async (job) =>
        startCreated(host, await host.backups.restore(request, job), startWhenRestored, job))
    }),
    delete: os.backup.delete.handler(async ({ context: { host }, input }) => {
      const { id, name } = await host.backups.machineOf(input)
      return host.jobs.run({ kind: 'backup.delete', title: `Deleting a backup of “${name}”`, machineId: here(host, id), cancellable: true }, (job) => host.backups.delete(input, job))
    }),
    setPolicy: os.backup.setPolicy.handler(async ({ context: { host }, input: { id, policy } }) => {
      await host.backups.setPolicy(id, policy === null ? null : { ...policy, folderId: null })
      return host.machines.get(id)
    }),
  },
  metrics: {
    watch: os.metrics.watch.handler(({ context, signal }) =>
      subscription<MetricsEvent>((push) => context.host.machines.watchMetrics(push), { signal, merge: mergeSamples }),
    ),
  },
  thumbnail: {
    watch: os.thumbnail.watch.handler(({ context, signal }) =>
      subscription<ThumbnailEvent>((push) => context.host.machines.watchThumbnails(push), { signal, merge: replaceById }),
    ),
  },
  guest: {
    info: os.guest.info.handler(({ context, input }) => context.host.guests.info(input.id)),
    run: os.guest.run.handler(({ context, input: { id, ...command }, signal }) => context.host.guests.run(id, command, signal ?? new AbortController().signal)),
    setPassword: os.guest.setPassword.handler(async ({ context, input }) => {
      await context.host.guests.setPassword(input.id, input.user, input.password)
      return {}
    }),
    copyIn: os.guest.copyIn.handler(({ context: { host }, input: { id, ...copy } }) =>
      jobOf(host, id, 'useGuest', { kind: 'guest.copyIn', title: (name) => `Copying “${lastPart(copy.hostPath)}” into ${name}`, cancellable: true }, (job) => host.guests.copyIn(id, copy, job)),
    ),
    copyOut: os.guest.copyOut.handler(({ context: { host }, input: { id, ...copy } }) =>
      jobOf(host, id, 'useGuest', { kind: 'guest.copyOut', title: (name) => `Copying “${lastPart(copy.guestPath)}” out of ${name}`, cancellable: true }, (job) => host.guests.copyOut(id, copy, job)),
    ),
  },
  console: {
    open: os.console.open.handler(({ context: { host }, input }) => {
      const machine = host.machines.get(input.id)
      requireLegal('openConsole', machine)
      const { channel } = input
      if (channel.type === 'serial' && channel.port >= consolePortCount(machine.definition)) {
        throw new RingsideError('NOT_FOUND', `“${machine.definition.name}” has no serial port ${String(channel.port)}.`, {
          hint: consolePortCount(machine.definition) === 0 ? 'The machine has no serial ports at all.' : `Its serial ports are 0 to ${String(consolePortCount(machine.definition) - 1)}.`,
        })
      }
      if (channel.type === 'graphics' && machine.definition.display.model === 'none') {
        throw new RingsideError('CAPABILITY_MISSING', `“${machine.definition.name}” has no display.`, { hint: 'Open its serial console instead.' })
      }
      return { ticket: host.consoleTickets.issue({ machineId: machine.id, channel }) }
    }),
  },
  job: {
    list: os.job.list.handler(({ context }) => context.host.jobs.list()),
    cancel: os.job.cancel.handler(({ context, input }) => context.host.jobs.cancel(input.id)),
    dismiss: os.job.dismiss.handler(({ context, input }) => {
      context.host.jobs.dismiss(input.id)
      return {}
    }),
  },
  storage: {
    inspect: os.storage.inspect.handler(({ context, input }) => context.host.storage.inspect(input.path, input.acceptedFiles)),
    listFolder: os.storage.listFolder.handler(({ context, input }) => context.host.storage.listFolder(input.path)),
    overview: os.storage.overview.handler(({ context }) => context.host.images.overview()),
    addPlace: os.storage.addPlace.handler(({ context, input }) => context.host.images.addPlace(input.path)),
    forgetPlace: os.storage.forgetPlace.handler(({ context, input }) => context.host.images.forgetPlace(input.path)),
    planWork: os.storage.planWork.handler(({ context, input }) => context.host.images.plan(input)),
    smallestSize: os.storage.smallestSize.handler(({ context, input, signal }) => context.host.images.smallestSize(input.path, signal ?? new AbortController().signal)),
    work: os.storage.work.handler(async ({ context: { host }, input }) => {
      // Refused now rather than in a job that fails at once.
      const { machineId } = await host.images.requirePossible(input)
      return host.jobs.run({ kind: jobKindOf(input.kind), title: titleOf(input), machineId, cancellable: isCancellable(input.kind) }, (job) => host.images.work(input, job))
    }),
  },
})
export type Router = typeof router

/** Everything there is, then each change. The listeners are attached before the picture is taken, in one turn: nothing falls between. */
function watchHost(host: HostServices, signal: AbortSignal | undefined): AsyncGenerator<HostEvent, void, void> {
  return subscription<HostEvent>(
    (push) => {
      const disposers = [
        host.machines.onChange((change) => { push(change.type === 'changed' ? { type: 'machineChanged', machine: change.machine } : { type: 'machineRemoved', id: change.id }) }),
        host.library.onChange((change) => { if (change.type === 'problems') push({ type: 'problemsChanged', problems: host.library.problems() }) }),
        host.jobs.onChange((change) => { push(change.type === 'changed' ? { type: 'jobChanged', job: change.job } : { type: 'jobRemoved', id: change.id }) }),
        host.snapshots.onChange((id) => { push({ type: 'snapshotsChanged', id }) }),
        host.probe.onChange((report) => { push({ type: 'probeChanged', report }) }),
        host.settings.onChange((settings) => { push({ type: 'settingsChanged', settings }) }),
      ]
      push({ type: 'opened', contractVersion, machines: host.machines.list(), problems: host.library.problems(), jobs: host.jobs.list() })
      return () => { for (const dispose of disposers) dispose() }
    },
    { signal, merge: mergeHostEvent },
  )
}

/** A change that nobody has read yet is replaced by the next one about the same thing, in the newer one's place. */
function mergeHostEvent(waiting: HostEvent[], event: HostEvent): boolean {
  const subject = subjectOf(event)
  const index = subject === null ? -1 : waiting.findIndex((other) => subjectOf(other) === subject)
  if (index >= 0) waiting.splice(index, 1)
  return false
}

function subjectOf(event: HostEvent): string | null {
  switch (event.type) {
    case 'machineChanged':
      return `machine ${event.machine.id}`
    case 'machineRemoved':
      return `machine ${event.id}`
    case 'jobChanged':
      return `job ${event.job.id}`
    case 'jobRemoved':
      return `job ${event.id}`
    case 'snapshotsChanged':
      return `snapshots ${event.id}`
    case 'problemsChanged':
    case 'probeChanged':
    case 'settingsChanged':
      return event.type
    case 'opened':
      return null
  }
}

function mergeSamples(waiting: MetricsEvent[], event: MetricsEvent): boolean {
  const index = waiting.findIndex((other) => other.id === event.id)
  const before = waiting[index]
  if (!before) return false
  waiting[index] = { id: event.id, samples: [...before.samples, ...event.samples].slice(-maxSamplesPerEvent) }
  return true
}

function replaceById(waiting: ThumbnailEvent[], event: ThumbnailEvent): boolean {
  const index = waiting.findIndex((other) => other.id === event.id)
  if (index < 0) return false
  waiting[index] = event
  return true
}

function requireLegal(action: MachineAction, machine: MachineView): void {
  const why = whyRefused(action, machine)
  if (why !== null) throw new RingsideError('ILLEGAL_STATE', why, { state: machine.state })
}

/** A machine of this library; null: backups may be of any other. */
function here(host: HostServices, id: string): string | null {
  return host.machines.list().some((machine) => machine.id === id) ? id : null
}

/** A job about one machine. What is illegal is refused now rather than in a job that fails at once. */
function jobOf(
  host: HostServices, id: string, action: MachineAction, what: { kind: JobKind; title: (machine: string) => string; cancellable: boolean }, work: (job: RunningJob) => Promise<void>,
): Job {
  const machine = host.machines.get(id)
  requireLegal(action, machine)
  return host.jobs.run({ kind: what.kind, title: what.title(`“${machine.definition.name}”`), machineId: id, cancellable: what.cancellable }, work)
}

/** A job that opens the machine's disks: whoever asks for it is asked for the passphrase, and not the job. */
async function unlockedJobOf(...[host, id, action, what, work]: Parameters<typeof jobOf>): Promise<Job> {
  requireLegal(action, host.machines.get(id))
  await host.encryption.requireFor(id)
  return jobOf(host, id, action, what, work)
}

async function startCreated(host: HostServices, machineId: string, start: boolean, job: RunningJob): Promise<{ machineId: string }> {
  job.belongsTo(machineId)
  if (start) {
    job.report(1, 'Starting the machine')
    await host.machines.start(machineId)
  }
  return { machineId }
}

/** What a path is called for short. */
function lastPart(path: string): string {
  return path.split(/[\\/]/u).findLast((part) => part !== '') ?? path
}

/** JSON has no `undefined`, but a MessagePort may: an absent field is no change. */
function withoutUndefined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
