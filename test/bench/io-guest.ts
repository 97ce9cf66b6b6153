import type { Duplex } from 'node:stream'
import { fullGuest } from '../vm/support/full-guest'
import { withProgram } from '../vm/support/guest-program'
import type { LinuxGuest } from '../vm/support/guests'
import { guestPrompt, guestReady } from '../vm/support/initrd'
import { SerialSession } from '../vm/support/serial-session'
import { processorSeconds } from './processes'
import { Traffic } from './traffic'

/** The Linux guest of the tests with drivers for plain hardware too, and with ioping, which times reads and writes past the guest's own cache. */
export async function ioGuest(initrd: string): Promise<LinuxGuest> {
  const guest = await withProgram(await fullGuest(), 'bin/ioping', [['ioping'], ['libc6']], initrd)
  // Under software emulation Linux falls back to a clock that takes a trip out of the guest to read, and ioping reads it twice for each request.
  return { ...guest, commandLine: `${guest.commandLine} tsc=reliable` }
}

/** What one test came to. */
export interface Reading {
  /** Requests or bytes a second. */
  readonly rate: number
  /** What QEMU used of the processors for all of it, seconds: the same work in each test, so it can be compared on a computer that is busy with other things. */
  readonly processorSeconds: number
}

const MiB = 2 ** 20
/** What is read and written again and again: filled once, so that no test meets anything that is not there. */
const filledMiB = 256
/** Piece of the disk that one round writes to first. */
const freshMiB = 64
const networkMiB = 16
const roundTripsCount = 600
/** How many read or write at the same time, where one after the other is not meant. */
const abreast = 4

/** What ioping is asked for; `-WWW` is its word for writing over a device. `fresh`: in a piece of the disk that nothing was ever written to. */
const diskTests: readonly { name: string; options: string; count: number; jobs?: number; fresh?: true }[] = [
  { name: 'Reading in order, 1 MiB', options: '-L -s 1m', count: 128 },
  { name: 'Writing in order, 1 MiB', options: '-WWW -L -s 1m', count: 64 },
  { name: 'Reading 4 KiB anywhere', options: '-s 4k', count: 600 },
  { name: '  reading, four at a time', options: '-s 4k', count: 250, jobs: abreast },
  { name: 'Writing 4 KiB anywhere', options: '-WWW -s 4k', count: 250 },
  { name: '  writing, four at a time', options: '-WWW -s 4k', count: 100, jobs: abreast },
  { name: '  writing, each flushed', options: '-WWW -Y -s 4k', count: 100 },
  { name: 'Writing in order where nothing was', options: '-WWW -L -s 1m', count: freshMiB, fresh: true },
  { name: 'Writing 4 KiB anywhere where nothing was', options: '-WWW -s 4k', count: 200, fresh: true },
]

/** A guest that is measured over its serial port. */
export class IoGuest implements Disposable {
  readonly #session: SerialSession
  #freshMiB = filledMiB

  private constructor(readonly stream: Duplex, private readonly device: string, private readonly pid: number, private readonly traffic: Traffic) {
    this.#session = new SerialSession(stream)
  }

  /** Waits until it has booted, gives it an address and fills its disk. @param device of the guest's disk, such as `/dev/vda` @param pid of its QEMU */
  static async ready(stream: Duplex, device: string, pid: number): Promise<IoGuest> {
    const guest = new IoGuest(stream, device, pid, new Traffic())
    const session = guest.#session
    await session.waitFor(guestReady, 180_000)
    await session.waitFor(guestPrompt)
    await session.run(`await-device ${device}; udhcpc -i eth0 -q -n 2>/dev/null >/dev/null`)
    await session.run(`ioping -B -q -D -WWW -L -i 0 -a 0 -s 1m -S ${String(filledMiB)}m -c ${String(filledMiB)} ${device}`, 180_000)
    return guest
  }

  /** Everything once, by the names of the tests in order. */
  async *measure(): AsyncGenerator<[name: string, reading: Reading]> {
    for (const { name, options, count, jobs = 1, fresh = false } of diskTests) {
      const place = fresh ? `-o ${String(this.#freshMiB)}m -S ${String(freshMiB)}m` : `-S ${String(filledMiB)}m`
      if (fresh) this.#freshMiB += freshMiB
      yield [name, await this.#counting(() => this.#ioping(`${options} ${place} -c ${String(count)}`, jobs))]
    }
    const connect = (words: string) => (port: number): Promise<string> => this.#session.run(`nc 10.0.2.2 ${String(port)} -e ${words} 2>/dev/null`)
    yield ['From the host to the guest', await this.#counting(() => this.traffic.toGuest(networkMiB * MiB, connect('dd of=/dev/null bs=64k')))]
    yield ['From the guest to the host', await this.#counting(() => this.traffic.fromGuest(connect(`dd if=/dev/zero bs=64k count=${String(networkMiB * 16)}`)))]
    yield ['There and back, one byte', await this.#counting(() => this.traffic.roundTrips(roundTripsCount, connect('cat')))]
  }

  /** Whether a large piece lies together in the guest's memory is luck, and decides how many parts its request has: memory is put in order before each test. */
  async #counting(work: () => Promise<number>): Promise<Reading> {
    await this.#session.run('echo 3 >/proc/sys/vm/drop_caches; echo 1 >/proc/sys/vm/compact_memory')
    const before = processorSeconds(this.pid)
    const rate = await work()
    return { rate, processorSeconds: processorSeconds(this.pid) - before }
  }

  /** Requests a second of all that run at the same time. */
  async #ioping(options: string, jobs: number): Promise<number> {
    const one = `ioping -B -q -D -i 0 -a 0 ${options} ${this.device}`
    const lines = await this.#session.run(jobs === 1 ? one : `for job in $(seq ${String(jobs)}); do ${one} -e $job & done; wait`)
    // Raw statistics [ioping(1)]: the third is requests a second.
    const rates = lines.split('\n').flatMap((line) => /^\d+ \d+ (\d+) \d+/u.exec(line)?.slice(1, 2).map(Number) ?? [])
    if (rates.length !== jobs) throw new Error(`ioping said ${lines}`)
    return rates.reduce((sum, rate) => sum + rate, 0)
  }

  [Symbol.dispose](): void {
    this.#session[Symbol.dispose]()
    this.stream.destroy()
  }
}
