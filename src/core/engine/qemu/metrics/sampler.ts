import type { MetricsSample } from '@shared/model'
import { balloonId } from '../argv'
import type { BlockStats, GuestBalloonStats, QmpClient } from '../qmp'
import { readProcessTimes, type ProcessTimes } from './process-times'

/** Running totals at one moment; rates come from two of them. */
interface Totals {
  /** Monotonic, milliseconds. */
  at: number
  times: ProcessTimes
  readBytes: number | null
  writtenBytes: number | null
}

const balloonPath = `/machine/peripheral/${balloonId}`

/** Seconds between two readings of memory use inside the guest, by its balloon driver. */
const balloonPollSeconds = 2

/**
 * Reads one machine's figures: a single round trip to QEMU with all questions in flight at once, and the operating system's accounts
 * of the process. What nobody knows is null.
 */
export class MetricsSampler {
  #last: Totals | null = null
  #vcpuThreads: number[] | null = null

  #hasBalloon = false

  constructor(private readonly pid: number) {}

  /** There is a balloon: has its driver tell how much memory the guest uses. */
  async useBalloon(qmp: QmpClient): Promise<void> {
    this.#hasBalloon = true
    await qmp.execute('qom-set', { path: balloonPath, property: 'guest-stats-polling-interval', value: balloonPollSeconds })
  }

  /** It is gone. */
  forgetBalloon(): void {
    this.#hasBalloon = false
  }

  /** One was put in or taken out: their threads are asked for anew. */
  forgetProcessors(): void {
    this.#vcpuThreads = null
  }

  async sample(qmp: QmpClient): Promise<MetricsSample> {
    const [threads, blocks, balloon, guest] = await Promise.all([
      this.#threads(qmp),
      orNull(qmp.execute('query-blockstats')),
      this.#hasBalloon ? orNull(qmp.execute('query-balloon')) : null,
      this.#hasBalloon ? orNull(qmp.execute('qom-get', { path: balloonPath, property: 'guest-stats' }) as Promise<GuestBalloonStats>) : null,
    ])
    const now: Totals = {
      at: performance.now(),
      times: await readProcessTimes(this.pid, threads),
      readBytes: sumBytes(blocks, 'rd_bytes'),
      writtenBytes: sumBytes(blocks, 'wr_bytes'),
    }
    const last = this.#last
    this.#last = now
    const perSecond = (read: (totals: Totals) => number | null): number | null => (last === null ? null : rate(read(now), read(last), now.at - last.at))
    const vcpu = perSecond(({ times }) => times.vcpuSeconds)
    return {
      at: Date.now(),
      cpuFraction: vcpu === null || threads.length === 0 ? null : Math.min(1, vcpu / threads.length),
      hostCpuCores: now.times.processCores ?? perSecond(({ times }) => times.processSeconds),
      guestMemoryUsedBytes: usedBytes(guest),
      guestMemoryBytes: balloon?.actual ?? null,
      hostMemoryBytes: now.times.residentBytes,
      diskReadBytesPerSecond: perSecond(({ readBytes }) => readBytes),
      diskWriteBytesPerSecond: perSecond(({ writtenBytes }) => writtenBytes),
      // QEMU counts no bytes of a network card.
      networkReceiveBytesPerSecond: null,
      networkTransmitBytesPerSecond: null,
    }
  }

  /** The threads of the virtual processors live as long as these: asked for once. */
  async #threads(qmp: QmpClient): Promise<number[]> {
    this.#vcpuThreads ??= (await qmp.execute('query-cpus-fast')).map((cpu) => cpu['thread-id'])
    return this.#vcpuThreads
  }
}

/** null when a total is unknown or went backwards, as after a change of devices. */
function rate(now: number | null, before: number | null, elapsedMs: number): number | null {
  if (now === null || before === null || elapsedMs <= 0 || now < before) return null
  return ((now - before) / elapsedMs) * 1000
}

/** Guest reads and writes of all drives. Flash chips appear here too, and are left out: they are no disks. */
function sumBytes(blocks: BlockStats[] | null, counter: 'rd_bytes' | 'wr_bytes'): number | null {
  if (blocks === null) return null
  return blocks.filter((block) => (block.qdev ?? '') !== '' && !(block['node-name'] ?? '').startsWith('sys-')).reduce((sum, block) => sum + block.stats[counter], 0)
}

/** A figure that the guest's driver did not fill in is 2^64-1 [hw/virtio/virtio-balloon.c]. */
function usedBytes(guest: GuestBalloonStats | null): number | null {
  if (guest === null || guest['last-update'] === 0) return null
  const figure = (name: string): number | null => {
    const value = guest.stats[name]
    return value === undefined || !Number.isSafeInteger(value) || value < 0 ? null : value
  }
  const total = figure('stat-total-memory')
  const free = figure('stat-available-memory') ?? figure('stat-free-memory')
  return total === null || free === null ? null : Math.max(0, total - free)
}

async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer
  } catch {
    return null
  }
}
