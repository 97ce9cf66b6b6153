import { mkdir } from 'node:fs/promises'
import { isRingsideError } from '@shared/errors'
import type { AcceleratorReport, ProbeReport, QemuReport } from '@shared/model'
import type { Disposer, Probe, SettingsStore } from '../../../app/services'
import { accelerators, bestOf, judgeSelfTest, knownObstacle } from './accelerators'
import { findQemu, type FoundQemu, type Place } from './find-qemu'
import { findFirmware } from './firmware'
import { findSwtpm, readTpmSupport } from './find-swtpm'
import { readVirtiofsSupport } from '../virtiofs'
import { readHostFacts, type HostFacts } from './host-facts'
import { installAdvice } from './install-advice'
import { interrogate } from './interrogate'
import { fingerprint, ProbeCache, type CachedProbe } from './probe-cache'
import { runSelfTest } from './self-test'

export interface ProbeOptions {
  /** Holds the answers of earlier probes, and small files for proofs while one runs. */
  cacheFolder: string
  settings: Pick<SettingsStore, 'get' | 'onChange'>
  environment?: NodeJS.ProcessEnv
  platform?: NodeJS.Platform
}

/** Finds QEMU and asks it what it can, once; then only when asked to, or when the setting of its path changes. */
export function createProbe(options: ProbeOptions): Probe & Disposable {
  return new QemuProbe(options)
}

class QemuProbe implements Probe, Disposable {
  readonly #cache: ProbeCache
  readonly #environment: NodeJS.ProcessEnv
  readonly #platform: NodeJS.Platform
  readonly #listeners = new Set<(report: ProbeReport) => void>()
  readonly #stopWatching: Disposer
  #qemuPath: string | null
  #report: Promise<ProbeReport> | null = null

  constructor(private readonly options: ProbeOptions) {
    this.#cache = new ProbeCache(options.cacheFolder)
    this.#environment = options.environment ?? process.env
    this.#platform = options.platform ?? process.platform
    this.#qemuPath = options.settings.get().qemuPath
    this.#stopWatching = options.settings.onChange(({ qemuPath }) => {
      if (qemuPath === this.#qemuPath) return
      this.#qemuPath = qemuPath
      void this.#run(true)
    })
  }

  /** The last report, as long as the QEMU that it is about is the one that lies there. */
  async current(): Promise<ProbeReport> {
    const report = await (this.#report ?? this.#run(true))
    if (report.qemu !== null && !(await this.#isStale(report.qemu))) return report
    return this.#run(true)
  }

  refresh(): Promise<ProbeReport> {
    return this.#run(false)
  }

  onChange(listener: (report: ProbeReport) => void): Disposer {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  [Symbol.dispose](): void {
    this.#stopWatching()
    this.#listeners.clear()
  }

  #run(mayUseCache: boolean): Promise<ProbeReport> {
    // One after the other: the last call has the last word.
    const running = (this.#report ?? Promise.resolve(null)).catch(() => null).then(() => this.#probe(mayUseCache))
    this.#report = running
    void running.then((report) => { for (const listener of [...this.#listeners]) listener(report) }, () => { if (this.#report === running) this.#report = null })
    return running
  }

  async #isStale({ systemPath, imgPath }: QemuReport): Promise<boolean> {
    try {
      return this.#fingerprints !== `${await fingerprint(systemPath)}\n${await fingerprint(imgPath)}\n${await this.#swtpm()}`
    } catch {
      return true
    }
  }

  #fingerprints = ''

  /** Which swtpm there is now. */
  async #swtpm(): Promise<string> {
    const path = await findSwtpm(this.#environment, this.#platform)
    return path === null ? '' : fingerprint(path)
  }

  async #probe(mayUseCache: boolean): Promise<ProbeReport> {
    const { found, missing, searched } = await findQemu({ setting: this.#qemuPath, environment: this.#environment, platform: this.#platform })
    const host = await readHostFacts(this.#platform)
    if (found === null) return withoutQemu(notFound(missing ?? 'qemu-system-x86_64', searched, this.#platform), [], host)
    const key = { system: await fingerprint(found.systemPath), img: await fingerprint(found.imgPath), host: JSON.stringify(host) }
    this.#fingerprints = `${key.system}\n${key.img}\n${await this.#swtpm()}`
    try {
      const cached = mayUseCache ? await this.#cache.read(key) : null
      const known = cached ?? (await this.#ask(found, host))
      if (cached === null) await this.#cache.write(key, known)
      return {
        probedAt: new Date().toISOString(),
        qemu: { ...known.qemu, firmware: await findFirmware(found.systemPath), tpm: await readTpmSupport(this.#environment, this.#platform), virtiofs: await readVirtiofsSupport(found.systemPath, this.#platform) },
        qemuProblem: null,
        accelerators: known.accelerators,
        bestAccelerator: bestOf(known.accelerators),
      }
    } catch (error) {
      if (!isRingsideError(error)) throw error
      const code = error.code === 'QEMU_TOO_OLD' ? 'QEMU_TOO_OLD' : 'QEMU_FAILED'
      return withoutQemu({ code, message: error.message.includes(found.systemPath) ? error.message : `${error.message.replace(/\.$/u, '')}: ${found.systemPath}`, remedy: error.data.hint ?? installAdvice(this.#platform), searched: [found.systemPath] }, [], host)
    }
  }

  async #ask(found: FoundQemu, host: HostFacts): Promise<CachedProbe> {
    await mkdir(this.options.cacheFolder, { recursive: true })
    const answers = await interrogate(found, this.options.cacheFolder)
    const reports: AcceleratorReport[] = []
    // One after the other, so that they do not slow each other down.
    for (const name of accelerators) {
      const obstacle = knownObstacle(name, answers.builtInAccelerators, host)
      reports.push(obstacle ?? judgeSelfTest(name, await runSelfTest(found.systemPath, name), host))
    }
    return { qemu: { ...answers, ...found }, accelerators: reports }
  }
}

type Problem = NonNullable<ProbeReport['qemuProblem']>

function withoutQemu(qemuProblem: Problem, builtIn: string[], host: HostFacts): ProbeReport {
  const reports = accelerators.map((name): AcceleratorReport => {
    const obstacle = knownObstacle(name, builtIn, host)
    if (obstacle !== null && obstacle.reason !== 'not-built-in') return obstacle
    return { name, works: false, selfTestMs: null, reason: 'failed-to-start', message: 'Not tried: there is no QEMU to try it with.', remedy: qemuProblem.remedy, detail: '' }
  })
  return { probedAt: new Date().toISOString(), qemu: null, qemuProblem, accelerators: reports, bestAccelerator: null }
}

function notFound(missing: string, searched: readonly Place[], platform: NodeJS.Platform): Problem {
  const asked = searched.find((place) => place.asked !== null)
  const searchedPaths = searched.map((place) => place.path)
  const remedy = installAdvice(platform)
  if (asked?.asked === 'setting') return { code: 'QEMU_NOT_FOUND', message: `There is no ${missing} at the path in the settings: ${asked.path}`, remedy: `Correct the path or clear it. ${remedy}`, searched: searchedPaths }
  if (asked?.asked === 'environment') return { code: 'QEMU_NOT_FOUND', message: `There is no ${missing} where RINGSIDE_QEMU points: ${asked.path}`, remedy: `Correct or unset RINGSIDE_QEMU. ${remedy}`, searched: searchedPaths }
  return { code: 'QEMU_NOT_FOUND', message: `${missing} was not found on this computer.`, remedy, searched: searchedPaths }
}
