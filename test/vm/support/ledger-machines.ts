import { randomUUID } from 'node:crypto'
import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { vi } from 'vitest'
import { newDiskOptions } from '@core/creation'
import { dataPaths, machineFolderName } from '@core/library'
import { emptyLedgerDisk, assembleLedgerDisk, ledgerWords } from './ledger-guest'
import type { OpenLibrary } from './open-library'
import type { NewMachine } from './real-host'
import { SerialSession } from './serial-session'
import { qemuImg } from './storage-host'
import type { TemporaryLibrary } from './temporary-folder'

/** A machine that boots from qcow2 disks of its own, made as the product makes them. @param contents raw, of each disk */
export function diskMachine(name: string, contents: readonly Uint8Array[], definition: NewMachine['definition'] = {}): NewMachine {
  const ids = contents.map((_, index) => `disk${String(index)}`)
  return {
    name,
    definition: { disks: ids.map((id) => ({ id, image: { kind: 'own', path: `disks/${id}.qcow2` }, format: 'qcow2', bus: 'sata' })), boot: { order: ids }, ...definition },
    async prepare({ disksFolder }) {
      for (const [index, content] of contents.entries()) {
        const raw = join(disksFolder, 'content')
        await writeFile(raw, content)
        await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', '-o', newDiskOptions.join(','), raw, join(disksFolder, `disk${String(index)}.qcow2`))
        await rm(raw)
      }
    },
  }
}

/** Little else than disks: what has it starts in no time. */
export const bareHardware = { display: { model: 'none' }, pointer: 'ps2', guestAgent: false, clipboard: false, randomNumbers: false, balloon: false } as const

/** A machine that keeps a ledger on two disks, and has little else: it starts in no time, and many of them run beside each other. */
export function ledgerMachine(name: string): NewMachine {
  const disks = diskMachine(name, [assembleLedgerDisk(), emptyLedgerDisk()])
  return { ...disks, definition: { ...disks.definition, ...bareHardware } }
}

/**
 * Copies a machine that is off, with its snapshots, into the library, as a person copies its folder, but under an id and a name of its own. For hosts that open
 * the library later.
 * @returns the copy's id
 */
export async function copyMachine(library: TemporaryLibrary, folder: string, from: { id: string; name: string }, name: string): Promise<string> {
  const id = randomUUID()
  const to = copyFolder(library, id, name)
  await cp(folder, to, { recursive: true })
  await rm(join(to, 'logs'), { recursive: true, force: true })
  const names = await readdir(to, { recursive: true })
  for (const file of names.filter((one) => one.endsWith('.json'))) {
    const text = await readFile(join(to, file), 'utf8')
    await writeFile(join(to, file), text.replaceAll(from.id, id).replaceAll(`"name": ${JSON.stringify(from.name)}`, `"name": ${JSON.stringify(name)}`))
  }
  return id
}

export function copyFolder(library: TemporaryLibrary, id: string, name: string): string {
  return join(dataPaths(library.data).library, machineFolderName(name, id))
}

const marks = new Map<string, number>()

/** A person at the serial port of a machine with a ledger. */
export class LedgerConsole implements Disposable {
  readonly #session: SerialSession

  private constructor(private readonly id: string, private readonly stream: Duplex) {
    this.#session = new SerialSession(stream)
  }

  static async open(host: { openConsole(id: string, kind: 'serial'): Promise<Duplex> }, id: string): Promise<LedgerConsole> {
    // Its worker may just be being replaced.
    return new LedgerConsole(id, await vi.waitFor(() => host.openConsole(id, 'serial'), { interval: 200 }))
  }

  /**
   * Sets a mark that the machine has not had before (of 26), so that what comes next is not the past that a console opens with.
   * @returns the letter, once the guest has taken it
   */
  async mark(): Promise<string> {
    const number = marks.get(this.id) ?? 0
    marks.set(this.id, number + 1)
    const letter = String.fromCharCode('A'.charCodeAt(0) + (number % 26))
    this.#session.send(letter)
    await this.#session.waitFor(`<${letter}>`)
    return letter
  }

  /** The number that the guest writes next. */
  async next(): Promise<number> {
    await this.mark()
    return Number(ledgerWords.written.exec(await this.#session.waitFor(ledgerWords.written))?.[1])
  }

  /** Lets the guest write so many numbers more. @returns the last */
  async write(count: number): Promise<number> {
    const last = (await this.next()) + count
    await this.#session.waitFor(`n=${String(last).padStart(6, '0')}`)
    return last
  }

  /**
   * Has the guest compare its disks with its memory, after it has written at least once: it may have been cut off in the middle of that.
   * @returns its number; throws when they differ
   */
  async verify(): Promise<number> {
    await this.next()
    this.#session.send('v')
    const verdict = ledgerWords.verdict.exec(await this.#session.waitFor(ledgerWords.verdict))?.[1] ?? ''
    if (!verdict.startsWith('whole')) throw new Error(`The guest finds that its disks are not as it left them: ${verdict}`)
    return Number(verdict.slice('whole at '.length))
  }

  [Symbol.dispose](): void {
    this.#session[Symbol.dispose]()
    this.stream.destroy()
  }
}

/** Lets the guest write, and compare its disk with its memory. @returns its last number */
export async function workInLedger(open: Pick<OpenLibrary, 'calls' | 'openConsole'>, id: string): Promise<number> {
  await open.calls.machines.start(id)
  using console = await LedgerConsole.open(open, id)
  await console.write(4)
  const last = await console.verify()
  await open.calls.machines.powerOff(id)
  return last
}
