import { execFile, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { promisify } from 'node:util'
import { RingsideError } from '@shared/errors'
import type { QemuReport } from '@shared/model'
import { lastLines } from '../process/qemu-log'
import { QmpClient, QmpCommandError } from '../qmp'
import { missingFeatures, readFeatures, type Features } from './features'
import type { FoundQemu } from './find-qemu'

/** A slow disk and a busy computer; a healthy QEMU answers everything in half a second. */
const patienceMs = 30_000

const sandbox = ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny']

type BuiltIn = Required<Pick<QemuReport, 'audioDrivers'>> & Pick<QemuReport, 'builtInAccelerators'>

/** What the binary says of itself, but for the firmware, which lies beside it. */
export type Interrogation = Omit<QemuReport, 'firmware' | 'tpm' | 'virtiofs' | 'systemPath' | 'imgPath'>

/**
 * Starts the binary without a machine and asks it.
 * @param scratchFolder where the file for the proof of asynchronous I/O is made: on the file system that machines will use
 * Throws `QEMU_FAILED` when it does not run or answer, `QEMU_TOO_OLD` naming what it lacks.
 */
export async function interrogate({ systemPath }: FoundQemu, scratchFolder: string): Promise<Interrogation> {
  const answers = await ask(systemPath, sandbox, scratchFolder).catch((error: unknown) => {
    if (error instanceof RingsideError && error.code === 'QEMU_TOO_OLD') throw error
    // A build without seccomp refuses the option, and so does a system without the call.
    return ask(systemPath, [], scratchFolder)
  })
  // Not of one that is too old, which may not know what it is asked.
  return { ...answers, builtInAccelerators: await listed(systemPath, '-accel'), audioDrivers: await listed(systemPath, '-audiodev') }
}

async function ask(systemPath: string, cage: string[], scratchFolder: string): Promise<Omit<Interrogation, keyof BuiltIn>> {
  const argv = ['-machine', 'none', '-nodefaults', '-no-user-config', '-S', '-display', 'none', ...cage, '-qmp', 'stdio']
  const child = spawn(systemPath, argv, { stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true })
  let words = ''
  child.stderr.on('data', (chunk: Buffer) => { words = (words + chunk.toString('utf8')).slice(-8192) })
  const ended = new Promise<Error | null>((resolve) => {
    child.once('error', resolve)
    child.once('close', () => { resolve(null) })
    // A wrapper may leave a child behind that holds the pipes open: then the last words have had their time.
    child.once('exit', () => { setTimeout(resolve, 500, null).unref() })
  })
  try {
    const qmp = await QmpClient.connect(Duplex.from({ readable: child.stdout, writable: child.stdin }), { timeoutMs: patienceMs })
    const answers = await questions(qmp, scratchFolder, cage.length > 0)
    await qmp.quit()
    return answers
  } catch (cause) {
    if (cause instanceof RingsideError && cause.code === 'QEMU_TOO_OLD') throw cause
    child.kill('SIGKILL')
    const startError = await ended
    const detail = lastLines(words)
    throw new RingsideError('QEMU_FAILED', `QEMU does not work (${startError?.message ?? (detail.split('\n').at(-1) || 'it does not answer')}): ${systemPath}`, {
      path: systemPath, hint: 'Install QEMU again from the packages of your system.',
      process: { command: systemPath, argv, exitCode: child.exitCode, signal: child.signalCode, stderrTail: detail },
    }, { cause })
  } finally {
    child.kill('SIGKILL')
    await ended
    for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.destroy()
  }
}

async function questions(qmp: QmpClient, scratchFolder: string, sandboxWorks: boolean): Promise<Omit<Interrogation, keyof BuiltIn>> {
  const [version, schema, machines, cpus, devices, processorProperties] = await Promise.all([
    qmp.execute('query-version'),
    qmp.execute('query-qmp-schema'),
    qmp.execute('query-machines'),
    // A QEMU before 2.10 has no answer without a machine; it is too old anyway.
    qmp.execute('query-cpu-definitions').catch(() => []),
    qmp.execute('qom-list-types', { implements: 'device', abstract: false }),
    qmp.execute('device-list-properties', { typename: 'max-x86_64-cpu' }).catch(() => []),
  ])
  const { major, minor, micro } = version.qemu
  const versionText = `${String(major)}.${String(minor)}.${String(micro)}`
  const missing = missingFeatures(schema)
  if (!machines.some((machine) => machine.name.startsWith('pc-q35-'))) missing.unshift('the q35 machine')
  if (missing.length > 0) {
    // The first few say enough; a very old one lacks nearly all.
    const [shown, more] = [missing.slice(0, 3).join(', '), missing.length - 3]
    throw new RingsideError('QEMU_TOO_OLD', `QEMU ${versionText} is too old, it lacks ${shown}${more > 0 ? ` and ${String(more)} more things that Ringside needs` : ''}.`, {
      hint: 'Install QEMU 6.2 or later, or choose another QEMU in the settings.',
    })
  }
  return {
    version: versionText,
    package: version.package.trim(),
    machineTypes: machines.filter((machine) => machine.name !== 'none').map((machine) => ({
      name: machine.name, alias: machine.alias ?? null, isDefault: machine['is-default'] === true, maxCpus: machine['cpu-max'], deprecated: machine.deprecated,
    })).sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true })),
    cpuModels: cpus.map((cpu) => ({
      name: cpu.name, migrationSafe: cpu['migration-safe'] ?? null, deprecated: cpu.deprecated, unavailableFeatures: cpu['unavailable-features'] ?? [],
    })).sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true })),
    devices: devices.map((device) => device.name).sort(),
    cpuFeatures: processorProperties.filter(({ name, type }) => type === 'bool' && /^[a-z0-9][a-z0-9._-]*$/u.test(name)).map(({ name }) => name).sort(),
    features: { ...readFeatures(schema), sandbox: sandboxWorks, ...(await proveAsynchronousIo(qmp, scratchFolder)) },
  }
}

/** Opens a file with each kind of I/O: what the schema names may be left out of the build or forbidden by the kernel. */
async function proveAsynchronousIo(qmp: QmpClient, scratchFolder: string): Promise<Pick<Features, 'ioUring' | 'linuxAio'>> {
  if (process.platform !== 'linux') return { ioUring: false, linuxAio: false }
  const folder = await mkdtemp(join(scratchFolder, 'probe-'))
  try {
    const filename = join(folder, 'disk')
    await writeFile(filename, Buffer.alloc(64 * 1024))
    const opens = async (aio: 'io_uring' | 'native', direct: boolean): Promise<boolean> => {
      try {
        await qmp.execute('blockdev-add', { driver: 'file', 'node-name': `proof-${aio}`, filename, aio, cache: { direct, 'no-flush': false }, 'read-only': true })
        return true
      } catch (error) {
        if (error instanceof QmpCommandError) return false
        throw error
      }
    }
    return { ioUring: await opens('io_uring', false), linuxAio: await opens('native', true) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** `-accel help` and `-audiodev help` list one name a line under a heading. */
async function listed(systemPath: string, option: '-accel' | '-audiodev'): Promise<string[]> {
  try {
    const { stdout } = await promisify(execFile)(systemPath, [option, 'help'], { timeout: patienceMs, windowsHide: true })
    return stdout.split(/\r?\n/u).slice(1).map((line) => line.trim()).filter((line) => /^[a-z]+$/u.test(line))
  } catch {
    return []
  }
}
