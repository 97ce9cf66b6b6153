import { randomUUID } from 'node:crypto'
import { createFakeEncryption } from './fake-encryption'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createWebSocketStream, WebSocketServer } from 'ws'
import { createConsoleTickets } from '@core/app/console-tickets'
import { createJobs } from '@core/app/jobs'
import type { HostServices, JobReporter, MachineManager, StoredMachine } from '@core/app/services'
import { requireNoClones } from '@core/clone/linked-clones'
import { machinePaths } from '@core/library/paths'
import { passphraseNeeded } from '@core/storage/image-faults'
import { issueOf } from '@core/storage/inspect'
import type { MetricsEvent } from '@shared/contract'
import { RingsideError } from '@shared/errors'
import {
  checkCreateMachine, CreateMachineRequest, isLive, whyRefused, type LibraryProblem, type MachineAction, type MachineState, type MachineHardware, MachineView, type MetricsSample, type ProbeReport,
  type Settings,
} from '@shared/model'
import { Emitter } from './emitter'
import type { FakeBackupData } from './fake-backup-data'
import { createFakeBackups } from './fake-backups'
import { createFakeClones } from './fake-clones'
import { fakeDevices } from './fake-devices'
import { fakeCatalog, fakeDefinition, fakeMachines, fakeProbe, fakeProblems, fakeView } from './fake-data'
import { createFakeGuests } from './fake-guests'
import { createFakeImages, fakeForeignImage } from './fake-images'
import { fakePng } from './fake-png'
import { serveFakeRfb } from './fake-rfb'
import { serveFakeShell } from './fake-serial'
import { fakeCloneMachines } from './fake-snapshot-data'
import { createFakeHardware } from './fake-hardware'
import { createFakeSnapshots } from './fake-snapshots'
import { FakeTrees } from './fake-trees'

export interface FakeHostOptions {
  machines?: MachineView[]
  problems?: LibraryProblem[]
  /** Factor of every pretended duration; 0 for tests. */
  slowness?: number
  /** Machines all of whose disks are encrypted; `fakePassphrase` opens them. */
  encrypted?: readonly string[]
  /** Ids of network cards that guests keep when they are asked for them. */
  keptCards?: readonly string[]
  /** Backups that there are already. */
  backups?: FakeBackupData
}

/** A host whose services live in memory: machines in every state, moving figures, jobs with progress. For the user interface and for tests of the contract. */
export interface FakeHost extends HostServices {
  /** Listeners attached now, by service: tests look here for leaks. */
  listeners(): { machines: number; library: number; jobs: number; probe: number; settings: number; metrics: number; thumbnails: number; snapshots: number }
  /** Puts a machine into any state, as a guest or a crash would. */
  set(id: string, change: Partial<MachineView>): MachineView
  /** Announces figures now, without waiting for the next second. */
  tick(): void
  readonly openConsoles: number
  close(): Promise<void>
}

function withEncryptedDisks(machine: MachineView): MachineView {
  return { ...machine, definition: { ...machine.definition, disks: machine.definition.disks.map((disk) => ({ ...disk, encrypted: true })) } }
}

export function createFakeHost(options: FakeHostOptions = {}): FakeHost {
  const slowness = options.slowness ?? 1
  const machines = new Map((options.machines ?? [...fakeMachines(), ...fakeCloneMachines()]).map((machine) => [machine.id, options.encrypted?.includes(machine.id) === true ? withEncryptedDisks(machine) : machine]))
  const problems = options.problems ?? fakeProblems
  const machineChanges = new Emitter<Parameters<Parameters<MachineManager['onChange']>[0]>[0]>()
  const libraryChanges = new Emitter<{ type: 'changed' | 'removed'; id: string } | { type: 'problems' }>()
  const probeChanges = new Emitter<ProbeReport>()
  const settingsChanges = new Emitter<Settings>()
  const metrics = new Emitter<MetricsEvent>()
  const thumbnails = new Emitter<{ id: string; pngBase64: string | null }>()
  const jobs = createJobs()
  const jobListeners = new Set<unknown>()
  const history = new Map<string, MetricsSample[]>()
  const consoles = new Set<Duplex>()
  const timers = new Set<NodeJS.Timeout>()
  const webSockets = new WebSocketServer({ noServer: true })
  let probe = fakeProbe()
  let settings: Settings = { schemaVersion: 1, qemuPath: null, onQuit: 'ask', storageFolders: [] }
  let tick = 0

  const later = (ms: number, action: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      action()
    }, ms * slowness)
    timers.add(timer)
  }
  const pause = (ms: number): Promise<void> => new Promise((resolve) => { later(ms, resolve) })

  const get = (id: string): MachineView => {
    const machine = machines.get(id)
    if (!machine) throw new RingsideError('NOT_FOUND', `There is no machine with the id ${id}.`, { hint: 'It may have been deleted.' })
    return machine
  }
  const set = (id: string, change: Partial<MachineView>): MachineView => {
    const machine = { ...get(id), ...change, ...(change.state ? { stateSince: new Date().toISOString() } : {}) }
    machines.set(id, machine)
    machineChanges.emit({ type: 'changed', machine })
    if (change.state && !isLive(machine.state)) thumbnails.emit({ id, pngBase64: null })
    return machine
  }
  const toState = (id: string, state: MachineState, change: Partial<MachineView> = {}): MachineView => {
    const run = isLive(state) ? (get(id).run ?? fakeView(get(id).definition, 'running', {}).run) : null
    const { next, definition } = get(id)
    // What waited for the next start is what there is when nothing runs.
    const settled = run === null && next !== null ? { definition: { ...definition, ...next }, next: null } : {}
    return set(id, { ...settled, state, run: run && { ...run, startedAt: get(id).run?.startedAt ?? new Date().toISOString() }, ...change })
  }
  const legal = (id: string, action: MachineAction): MachineView => {
    const machine = get(id)
    const why = whyRefused(action, machine)
    if (why !== null) throw new RingsideError('ILLEGAL_STATE', why, { state: machine.state })
    return machine
  }
  const running = (): MachineView[] => [...machines.values()].filter((machine) => machine.state === 'running' || machine.state === 'paused')

  const sampleOf = (machine: MachineView, at: number): MetricsSample => {
    const seed = machine.id.charCodeAt(0)
    const wave = machine.state === 'paused' ? 0 : (Math.sin(at / 9000 + seed) + 1) / 2
    const noise = machine.state === 'paused' ? 0 : Math.abs(Math.sin(at * seed)) * 0.12
    const cpu = Math.min(1, wave * (machine.definition.name.includes('build') ? 0.9 : 0.25) + noise)
    return {
      at, cpuFraction: cpu, hostCpuCores: cpu * machine.definition.processors.cores, guestMemoryUsedBytes: machine.definition.memoryMiB * 2 ** 20 * (0.4 + wave * 0.1),
      guestMemoryBytes: machine.definition.memoryMiB * 2 ** 20, hostMemoryBytes: machine.definition.memoryMiB * 2 ** 20 * 0.7, diskReadBytesPerSecond: wave * 4e6,
      diskWriteBytesPerSecond: noise * 9e6, networkReceiveBytesPerSecond: null, networkTransmitBytesPerSecond: null,
    }
  }
  const seconds = setInterval(() => { doTick() }, 1000)
  seconds.unref()
  const doTick = (): void => {
    tick++
    const at = Date.now()
    for (const machine of running()) {
      const samples = history.get(machine.id) ?? []
      const sample = sampleOf(machine, at)
      history.set(machine.id, [...samples, sample].slice(-600))
      metrics.emit({ id: machine.id, samples: [sample] })
      if (tick % 3 === 0) thumbnails.emit({ id: machine.id, pngBase64: thumbnailOf(machine) })
    }
  }
  const thumbnailOf = (machine: MachineView): string | null =>
    machine.definition.display.model === 'none' ? null : Buffer.from(fakePng(machine.id.charCodeAt(0) + tick)).toString('base64')

  const add = (machine: MachineView): void => {
    machines.set(machine.id, machine)
    machineChanges.emit({ type: 'changed', machine })
  }
  const createFrom = async (definition: MachineView['definition'], reporter: JobReporter): Promise<string> => {
    for (let part = 0; part <= 20; part++) {
      reporter.signal.throwIfAborted()
      reporter.report(part / 20, part < 4 ? 'Making the disk' : 'Copying the image')
      await pause(150)
    }
    add(fakeView(definition, 'stopped'))
    return definition.id
  }
  const stored = (id: string): StoredMachine => {
    const machine = get(id)
    return { definition: machine.definition, paths: machinePaths(machine.folder, '/tmp/ringside-fake', machine.id) }
  }

  const save: MachineManager['save'] = async (id, reporter) => {
    legal(id, 'save')
    toState(id, 'saving')
    for (let part = 0; part <= 20; part++) {
      if (reporter.signal.aborted) {
        toState(id, 'running')
        reporter.signal.throwIfAborted()
      }
      reporter.report(part / 20, 'Writing memory')
      await pause(120)
    }
    return toState(id, 'saved', { saved: { at: new Date().toISOString(), sizeBytes: 512 * 2 ** 20, qemuVersion: '7.2.22' } })
  }
  const trees = new FakeTrees({ list: () => [...machines.values()], get, set, toState, add, pause })
  const snapshots = createFakeSnapshots(trees)
  const encryption = createFakeEncryption(get)

  return {
    devices: () => Promise.resolve(fakeDevices()),
    // eslint-disable-next-line @typescript-eslint/require-await
    info: async () => ({
      version: '0.1.0', shell: 'test', platform: 'linux', arch: 'x64', hostName: 'workbench', osName: 'Debian GNU/Linux 12 (bookworm)', processorModel: 'Fake Processor 3000',
      logicalProcessors: 8, memoryMiB: 16_384, freeMemoryMiB: 9_200, dataFolder: '/home/ada/.local/share/Ringside', libraryFolder: '/home/ada/.local/share/Ringside/library',
      libraryFreeBytes: 212 * 2 ** 30,
    }),
    catalog: fakeCatalog,
    encryption,
    probe: {
      // eslint-disable-next-line @typescript-eslint/require-await
      current: async () => probe,
      async refresh() {
        await pause(1200)
        probe = { ...fakeProbe(), probedAt: new Date().toISOString() }
        probeChanges.emit(probe)
        return probe
      },
      onChange: probeChanges.on,
    },
    settings: {
      get: () => settings,
      // eslint-disable-next-line @typescript-eslint/require-await
      async change(change) {
        settings = { ...settings, ...change }
        settingsChanges.emit(settings)
        return settings
      },
      onChange: settingsChanges.on,
    },
    library: {
      list: () => [...machines.keys()].map(stored),
      get: stored,
      problems: () => problems,
      add: () => Promise.reject(new RingsideError('INTERNAL', 'The fake host has no folders.')),
      update: () => Promise.reject(new RingsideError('INTERNAL', 'The fake host has no folders.')),
      // eslint-disable-next-line @typescript-eslint/require-await
      async deletePlan(id) {
        const { folder, definition } = get(id)
        requireNoClones(definition.name, trees.clones(id), 'deleted')
        return {
          folder, bytes: 4_300_000_000, toTrash: true, keeps: ['/home/ada/isos/debian-12.iso'],
          deletes: [{ path: `${folder}/disks/disk0.qcow2`, bytes: 4_294_967_296 }, { path: `${folder}/machine.json`, bytes: 1834 }],
        }
      },
      // eslint-disable-next-line @typescript-eslint/require-await
      remove: async () => ({ trashed: true }),
      onChange: libraryChanges.on,
    },
    machines: {
      list: () => [...machines.values()],
      get,
      async start(id, { disposable } = { disposable: false }) {
        legal(id, 'start')
        await encryption.requireFor(id)
        toState(id, 'starting', { crash: null, saved: null })
        await pause(800)
        const { run } = get(id)
        return toState(id, 'running', { run: run && { ...run, disposable } })
      },
      // eslint-disable-next-line @typescript-eslint/require-await
      pause: async (id) => (legal(id, 'pause'), toState(id, 'paused')),
      // eslint-disable-next-line @typescript-eslint/require-await
      resume: async (id) => (legal(id, 'resume'), toState(id, 'running')),
      // eslint-disable-next-line @typescript-eslint/require-await
      async shutDown(id) {
        legal(id, 'shutDown')
        later(3000, () => { if (machines.get(id)?.state === 'stopping') toState(id, 'stopped') })
        return toState(id, 'stopping')
      },
      // eslint-disable-next-line @typescript-eslint/require-await
      reset: async (id) => legal(id, 'reset'),
      // eslint-disable-next-line @typescript-eslint/require-await
      powerOff: async (id) => (legal(id, 'powerOff'), toState(id, 'stopped')),
      save,
      // eslint-disable-next-line @typescript-eslint/require-await
      discardSaved: async (id) => (legal(id, 'discardSaved'), toState(id, 'stopped', { saved: null })),
      // eslint-disable-next-line @typescript-eslint/require-await
      async rename(id, name) {
        const machine = legal(id, 'rename')
        if ([...machines.values()].some((other) => other.id !== id && other.definition.name.toLowerCase() === name.toLowerCase())) {
          throw new RingsideError('NAME_TAKEN', `A machine named “${name}” exists already; choose another name.`)
        }
        return set(id, { definition: { ...machine.definition, name } })
      },
      // eslint-disable-next-line @typescript-eslint/require-await
      async delete(id, { permanently }) {
        requireNoClones(legal(id, 'delete').definition.name, trees.clones(id), 'deleted')
        machines.delete(id)
        trees.forget(id)
        machineChanges.emit({ type: 'removed', id })
        return { trashed: !permanently }
      },
      // eslint-disable-next-line @typescript-eslint/require-await
      async screenshot(id) {
        legal(id, 'screenshot')
        return fakePng(id.charCodeAt(0) + tick, 640, 400)
      },
      // eslint-disable-next-line @typescript-eslint/require-await
      async commandLine(id) {
        const { definition, next } = get(id)
        const of = ({ machineType, memoryMiB }: MachineHardware): string[] => ['/usr/bin/qemu-system-x86_64', '-nodefaults', '-no-user-config', '-machine', machineType, '-m', String(memoryMiB), '-name', definition.name]
        return { argv: of(definition), last: { at: '2026-11-28T12:00:00.000Z', argv: of(definition) }, next: of(next ?? definition) }
      },
      attachConsole(id, channel, transfer) {
        const machine = get(id)
        const serve = (stream: Duplex): void => {
          consoles.add(stream)
          stream.on('close', () => consoles.delete(stream)).on('error', () => undefined)
          if (channel.type === 'serial') serveFakeShell(stream, machine.definition.name)
          else serveFakeRfb(stream)
        }
        if (transfer.kind === 'messagePort') throw new RingsideError('CAPABILITY_MISSING', 'The fake host takes sockets only.')
        if (!(transfer.socket instanceof Socket)) throw new RingsideError('INTERNAL', 'That is no socket.')
        const request = Object.assign(new IncomingMessage(transfer.socket), { headers: transfer.headers, method: 'GET', url: '/console' })
        webSockets.handleUpgrade(request, transfer.socket, Buffer.from(transfer.head), (client) => { serve(createWebSocketStream(client)) })
        // One that came paused would flow by itself in the process that it is handed to; here it stays the same object.
        transfer.socket.resume()
      },
      onChange: machineChanges.on,
      watchMetrics(listener) {
        for (const machine of running()) {
          const samples = history.get(machine.id) ?? Array.from({ length: 120 }, (_, index) => sampleOf(machine, Date.now() - (120 - index) * 1000))
          history.set(machine.id, samples)
          listener({ id: machine.id, samples })
        }
        return metrics.on(listener)
      },
      watchThumbnails(listener) {
        for (const machine of running()) listener({ id: machine.id, pngBase64: thumbnailOf(machine) })
        return thumbnails.on(listener)
      },
    },
    creation: {
      // eslint-disable-next-line @typescript-eslint/require-await
      async check(request) {
        const issues = checkCreateMachine(request, { logicalProcessors: 8, memoryMiB: 16_384, freeDiskBytes: 212 * 2 ** 30, takenNames: [...machines.values()].map((machine) => machine.definition.name) })
        const parsed = CreateMachineRequest.safeParse(request)
        if (parsed.success && 'path' in parsed.data.source && parsed.data.source.path.includes('missing')) {
          issues.push({ path: 'source.path', message: `There is no file ${parsed.data.source.path}.`, received: parsed.data.source.path, severity: 'error' })
        }
        return issues
      },
      create: (request, reporter) =>
        createFrom(fakeDefinition(randomUUID(), request.name, { osId: request.osId, memoryMiB: request.memoryMiB, processors: { sockets: 1, cores: request.processors, threads: 1, model: 'auto', features: [], priority: 'normal', limitPercent: null, maximum: null, plugged: 0 } }), reporter),
      createSample: (name, reporter) => {
        const taken = new Set([...machines.values()].map((machine) => machine.definition.name))
        let free = name ?? 'Sample'
        for (let number = 2; taken.has(free); number++) free = `${name ?? 'Sample'} ${String(number)}`
        return createFrom(fakeDefinition(randomUUID(), free, { osId: 'other', memoryMiB: 16, disks: [], nics: [] }), reporter)
      },
    },
    snapshots,
    clones: createFakeClones(trees, snapshots, save),
    backups: createFakeBackups(trees, pause, options.backups),
    guests: createFakeGuests(get),
    hardware: createFakeHardware(trees, options.keptCards),
    images: createFakeImages(() => [...machines.values()], () => [...machines.values()].map(({ id, definition }) => ({ machineId: id, machineName: definition.name, files: trees.of(id).orphans })).filter(({ files }) => files.length > 0), set, pause),
    jobs: {
      ...jobs,
      onChange(listener) {
        jobListeners.add(listener)
        const dispose = jobs.onChange(listener)
        return () => {
          jobListeners.delete(listener)
          dispose()
        }
      },
    },
    storage: {
      // eslint-disable-next-line @typescript-eslint/require-await
      async inspect(path, acceptedFiles = []) {
        if (path.includes('missing')) throw new RingsideError('FILE_NOT_FOUND', `There is no file ${path}.`, { path, hint: 'Check the path.' })
        const base = '/home/ada/Disks/debian-base.qcow2'
        const unaccepted = path.includes('overlay') && !acceptedFiles.includes(base)
        const encrypted = path === fakeForeignImage
        const iso = path.toLowerCase().endsWith('.iso')
        return {
          path, kind: iso ? 'iso' : 'disk', actualBytes: 661_651_456, virtualBytes: iso ? 661_651_456 : 32 * 2 ** 30, format: iso ? 'raw' : 'qcow2',
          volumeId: iso ? 'Debian 12.8.0 amd64 n' : null, bootable: iso ? { bios: true, uefi: true } : null, osId: iso ? 'debian' : null,
          ...(encrypted ? { encryption: 'luks' as const } : {}),
          issues: encrypted ? [issueOf(passphraseNeeded(path))] : unaccepted ? [{ path: '', code: 'BACKING_FILE_OUTSIDE', severity: 'error', message: `The image is based on a file outside the library: ${path} needs ${base}. If you trust both, accept exactly that file.` }] : [],
          ...(unaccepted ? { unacceptedFile: base } : {}),
        }
      },
      // eslint-disable-next-line @typescript-eslint/require-await
      async listFolder(path) {
        const folder = path ?? '/home/ada'
        const at = (name: string): string => `${folder === '/' ? '' : folder}/${name}`
        return {
          path: folder, parent: folder === '/' ? null : folder.slice(0, folder.lastIndexOf('/')) || '/',
          places: [{ name: 'Home', path: '/home/ada' }, { name: 'Computer', path: '/' }],
          entries: [
            { name: 'Downloads', path: at('Downloads'), kind: 'folder', bytes: null, modifiedAt: '2026-11-20T12:00:00.000Z' },
            { name: 'debian-12.iso', path: at('debian-12.iso'), kind: 'file', bytes: 661_651_456, modifiedAt: '2026-10-01T12:00:00.000Z' },
            { name: 'old-server.vmdk', path: at('old-server.vmdk'), kind: 'file', bytes: 8_589_934_592, modifiedAt: '2025-03-01T12:00:00.000Z' },
            { name: 'missing.iso', path: at('missing.iso'), kind: 'file', bytes: 0, modifiedAt: '2025-03-01T12:00:00.000Z' },
          ],
        }
      },
    },
    consoleTickets: createConsoleTickets(),
    listeners: () => ({
      machines: machineChanges.listeners.size, library: libraryChanges.listeners.size, jobs: jobListeners.size, probe: probeChanges.listeners.size, settings: settingsChanges.listeners.size,
      metrics: metrics.listeners.size, thumbnails: thumbnails.listeners.size, snapshots: trees.changes.listeners.size,
    }),
    set,
    tick: doTick,
    get openConsoles() {
      return consoles.size
    },
    async close() {
      clearInterval(seconds)
      for (const timer of timers) clearTimeout(timer)
      for (const stream of consoles) stream.destroy()
      webSockets.close()
      await jobs.close()
    },
  }
}
