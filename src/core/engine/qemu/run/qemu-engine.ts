import { mkdir, readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isRingsideError, RingsideError, type ProcessFailure } from '@shared/errors'
import type { MachineDefinition } from '@shared/model'
import { errnoOf } from '../../../config'
import { spareRootPorts, type Engine, type LaunchPlan, type MemoryFile, type RunningMachine, type SavedRun } from '../../engine'
import { boardOf } from '../argv'
import { connectEndpoint } from '../endpoint'
import { classifyFailure } from '../process/classify-failure'
import { findProcess } from '../process/process-identity'
import { QemuLog } from '../process/qemu-log'
import { handOver, type HandedSecret } from '../process/hand-over'
import { inheritedKey, QemuProcess } from '../process/qemu-process'
import { connectQmp, QmpClosedError, type QmpClient, type StatusInfo } from '../qmp'
import { judgeEnding } from './ending'
import { knownEndpoints, newEndpoints, type RunEndpoints } from './endpoints'
import { applyFirstSettings } from './first-settings'
import { loadState } from './load-state'
import { provideNetworks } from './live-nics'
import { ensureNvram } from './nvram'
import { prepareArgv, requireTpmProgram, runningDefinition } from './prepare'
import { QemuMachine } from './qemu-machine'
import { imagePath, runFiles, type RunFiles } from './run-files'
import { plannedSockets, SharedFolders } from './shared-folders'
import { requireTpmState, TpmProcess } from '../tpm'
import { endLeftoverVirtiofsds } from '../virtiofs'

/** A loaded host may take its time until QEMU is up; a QEMU that fails ends the wait at once. */
const startPatienceMs = 30_000
const adoptPatienceMs = 5_000
/** How long a process that has cut its connections may take to be gone. */
const dyingPatienceMs = 2_000

/**
 * The engine that runs machines on the computer's QEMU.
 * @param platform decides how QEMU is reached: `win32` takes guarded ports for sockets, which works (and is tested) everywhere
 */
export function createQemuEngine(platform: NodeJS.Platform = process.platform): Engine {
  return { start: (plan, beforeGuestRuns) => start(plan, platform, beforeGuestRuns), adopt: (plan) => adopt(plan, platform) }
}

/** The command line that a start would use now, the program first. Checks the machine's files as a start does. */
export async function describeCommandLine(plan: LaunchPlan): Promise<string[]> {
  const files = runFiles(plan)
  const { argv } = await prepareArgv(plan, files, await knownEndpoints(files, 'linux'), await plannedSockets(plan, files))
  return [plan.qemu.systemPath, ...argv]
}

async function start(plan: LaunchPlan, platform: NodeJS.Platform, beforeGuestRuns?: () => Promise<void>): Promise<RunningMachine> {
  const files = runFiles(plan)
  await refuseSecondRun(plan, files)
  await mkdir(files.runtime.folder, { recursive: true, mode: 0o700 })
  await mkdir(dirname(files.machine.serialLog(0)), { recursive: true })
  const definition = runningDefinition(plan)
  await ensureNvram(definition, plan.qemu, plan.machineFolder)
  const run = await newEndpoints(files, platform)
  await using key = definition.disks.some(({ encrypted }) => encrypted) ? await handOver(requireKey(plan), files.runtime.diskKey, inheritedKey, platform) : null
  const folders = await SharedFolders.start(plan, files)
  const tpm = await startTpm(plan, definition, files).catch(async (error: unknown) => {
    await folders.kill()
    throw error
  })
  const { qemu, notes } = await spawnQemu(plan, files, run, { folders, tpm, key })
  let qmp: QmpClient | null = null
  try {
    qmp = await connectMonitor(qemu, run, startPatienceMs)
    const machine = new QemuMachine({ plan: { ...plan, definition, diskKey: null }, files, run, qemu, qmp, folders, tpm, notes: [...folders.notes, ...notes], paused: true })
    if (plan.restore !== null) {
      // The memory may know those of cards that have left.
      if (boardOf(definition.machineType).pcie) await provideNetworks(qmp, spareRootPorts - 1)
      await loadState(qmp, { memory: savedMemory(plan.restore, plan.machineFolder), socket: files.runtime.ram, features: plan.qemu.features })
      if (plan.restore.qemuVersion !== plan.qemu.version) machine.addNote(`The state was saved with QEMU ${plan.restore.qemuVersion} and goes on with ${plan.qemu.version}.`)
    }
    for (const note of await applyFirstSettings(qmp, definition, qemu.pid, plan.restore !== null)) machine.addNote(note)
    await beforeGuestRuns?.()
    await machine.begin()
    return machine
  } catch (error) {
    qmp?.close()
    throw await failedStart(error, qemu, plan).finally(() => Promise.all([folders.kill(), tpm?.end(0)]))
  }
}

async function spawnQemu(plan: LaunchPlan, files: RunFiles, run: RunEndpoints, { folders, tpm, key }: { folders: SharedFolders; tpm: TpmProcess | null; key: HandedSecret | null }): Promise<{ qemu: QemuProcess; notes: string[] }> {
  try {
    const { argv, notes } = await prepareArgv(plan, files, run, folders.sockets, key?.file)
    return { qemu: await QemuProcess.spawn(plan.qemu.systemPath, argv, { logPath: files.machine.qemuLog, folder: files.runtime.folder, secret: key?.fd ?? null }), notes }
  } catch (error) {
    await Promise.all([folders.kill(), tpm?.end(0)])
    throw error
  }
}

/** Before QEMU, which connects to it when it starts. */
async function startTpm({ qemu, machineFolder }: LaunchPlan, { tpm }: MachineDefinition, { runtime, machine }: RunFiles): Promise<TpmProcess | null> {
  if (tpm === null) return null
  const state = imagePath(machineFolder, { kind: 'own', path: tpm.state })
  const program = requireTpmProgram(qemu)
  await requireTpmState(state)
  return TpmProcess.start({ program, state, runtime, logPath: machine.tpmLog })
}

function requireKey({ definition, diskKey }: LaunchPlan): string {
  if (diskKey != null) return diskKey
  throw new RingsideError('KEY_REQUIRED', `“${definition.name}” has encrypted disks. Its passphrase is needed.`, { machineId: definition.id, hint: 'Give the passphrase, then start it again.' })
}

function savedMemory({ ramFile, ramFormat, ramCompression }: SavedRun, machineFolder: string): MemoryFile {
  return { path: imagePath(machineFolder, { kind: 'own', path: ramFile }), format: ramFormat, compression: ramCompression }
}

async function adopt(plan: LaunchPlan, platform: NodeJS.Platform): Promise<RunningMachine> {
  const files = runFiles(plan)
  const definition = runningDefinition(plan)
  const pid = await readPid(files)
  const identity = pid === null ? null : await findProcess(pid)
  if (identity === null) throw await notRunning(plan, files, pid !== null)
  const qemu = QemuProcess.adopt(identity, plan.qemu.systemPath, files.machine.qemuLog)
  const run = await knownEndpoints(files, platform)
  const { qmp, uuid, status } = await introduce(qemu, run).catch(async (error: unknown) => {
    // A pid file of a crash, and another program that has the number since: nobody listens.
    const nobody = ['ENOENT', 'ECONNREFUSED'].includes(errnoOf(error))
    // A process that is about to be gone still has its sockets for a moment.
    if (nobody || (isBroken(error) && (await qemu.exitedWithin(dyingPatienceMs)))) throw await notRunning(plan, files, (await readPid(files)) !== null)
    throw error
  })
  if (uuid.toLowerCase() !== definition.id.toLowerCase()) {
    qmp.close()
    throw new RingsideError('NOT_FOUND', `Another machine answers at ${files.runtime.qmp}.`, { path: files.runtime.qmp, state: 'crashed' })
  }
  const machine = new QemuMachine({ plan: { ...plan, definition }, files, run, qemu, qmp, folders: await SharedFolders.adopt(definition, files), tpm: definition.tpm === null ? null : await TpmProcess.find(files.runtime, files.machine.tpmLog), notes: [], paused: !status.running })
  await machine.catchUp()
  return machine
}

/** Connects to the monitor of a machine that runs already, and asks which one it is and how it is. */
async function introduce(qemu: QemuProcess, run: RunEndpoints): Promise<{ qmp: QmpClient; uuid: string; status: StatusInfo }> {
  const qmp = await connectMonitor(qemu, run, adoptPatienceMs)
  try {
    const [{ UUID }, status] = await Promise.all([qmp.execute('query-uuid'), qmp.execute('query-status')])
    return { qmp, uuid: UUID, status }
  } catch (error) {
    qmp.close()
    throw error
  }
}

/** Connects to the monitor while the process lives. */
async function connectMonitor(qemu: QemuProcess, run: RunEndpoints, patienceMs: number): Promise<QmpClient> {
  const gone = new AbortController()
  void qemu.exited.then(() => { gone.abort(new QmpClosedError('greeting')) })
  return connectQmp(() => connectEndpoint(run.endpoints.qmp), { patienceMs, timeoutMs: patienceMs, signal: gone.signal })
}

/** Ends what is left of a start that failed, and says why it failed. */
async function failedStart(error: unknown, qemu: QemuProcess, { definition, accelerator, restore }: LaunchPlan): Promise<unknown> {
  // QEMU may be about to end by itself, and then it has the better reason.
  const ended = isBroken(error) ? await qemu.exitedWithin(dyingPatienceMs) : qemu.exit !== null
  if (!ended) await qemu.kill()
  const failure = await qemu.failure()
  if (ended) return classifyFailure(failure, { machine: definition.name, accelerator, restores: restore !== null })
  if (isRingsideError(error)) return new RingsideError(error.code, error.message, { ...error.data, process: failure }, { cause: error })
  return error
}

/** The connection to QEMU was cut, as it is when QEMU ends. */
function isBroken(error: unknown): boolean {
  return error instanceof QmpClosedError || ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(errnoOf(error))
}

async function refuseSecondRun({ definition }: LaunchPlan, files: RunFiles): Promise<void> {
  const pid = await readPid(files)
  if (pid === null || (await findProcess(pid)) === null || !(await isQemuOf(pid, definition.id))) return
  throw new RingsideError('ILLEGAL_STATE', `“${definition.name}” runs already, as process ${String(pid)}.`, {
    state: 'running', hint: 'Open Ringside again to take it over, or end that process.',
  })
}

/** Guards against a number that another program has since. Where the system does not tell, QEMU's own lock on its pid file decides. */
async function isQemuOf(pid: number, id: string): Promise<boolean> {
  try {
    return (await readFile(`/proc/${String(pid)}/cmdline`, 'latin1')).includes(id)
  } catch {
    return false
  }
}

/** `NOT_FOUND` with the facts of the end: `data.state` is `stopped` after a clean one, else `crashed`. */
async function notRunning({ definition, qemu }: LaunchPlan, files: RunFiles, pidFileLeft: boolean): Promise<RingsideError> {
  await endLeftoverVirtiofsds(files.runtime.folder)
  const failure: ProcessFailure = {
    command: qemu.systemPath, argv: [], exitCode: null, signal: null, stderrTail: await QemuLog.of(files.machine.qemuLog).tail(),
  }
  const { clean, reason } = judgeEnding({ cause: null, asked: false, pidFileLeft, failure })
  if (pidFileLeft) await rm(files.runtime.pid, { force: true })
  return new RingsideError('NOT_FOUND', `“${definition.name}” does not run any more. ${reason}`, { state: clean ? 'stopped' : 'crashed', process: failure })
}

async function readPid({ runtime }: RunFiles): Promise<number | null> {
  try {
    const pid = Number((await readFile(runtime.pid, 'utf8')).trim())
    return Number.isInteger(pid) && pid > 0 ? pid : null
  } catch {
    return null
  }
}
