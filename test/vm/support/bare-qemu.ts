import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Duplex } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { colourCount, difference, readPng, type Picture } from './screen'
import { SerialSession } from './serial-session'

/** How a QEMU process ended. */
export interface QemuEnd {
  code: number | null
  signal: NodeJS.Signals | null
  stderr: string
}

/** The QEMU programs that the tests run: those of RINGSIDE_QEMU (a folder or the emulator itself), else those in PATH. */
export async function qemuProgram(name: 'qemu-system-x86_64' | 'qemu-img' = 'qemu-system-x86_64'): Promise<string> {
  const configured = process.env.RINGSIDE_QEMU
  if (!configured) return name
  const isFolder = (await stat(configured)).isDirectory()
  return isFolder ? join(configured, name) : name === 'qemu-system-x86_64' ? configured : join(configured, '..', name)
}

/**
 * QEMU without any of the product's own engine: for tests of guests, and as the plain thing that the engine is measured against.
 * Use with `await using`, so that no process and no folder stays behind.
 */
export class BareQemu implements AsyncDisposable {
  readonly folder: string
  readonly ended: Promise<QemuEnd>
  readonly serial: SerialSession
  readonly #process: ChildProcess
  readonly #qmp: Qmp
  readonly #serialSocket: Socket

  private constructor(folder: string, child: ChildProcess, ended: Promise<QemuEnd>, qmp: Qmp, serialSocket: Socket) {
    this.folder = folder
    this.#process = child
    this.ended = ended
    this.#qmp = qmp
    this.#serialSocket = serialSocket
    this.serial = new SerialSession(serialSocket)
  }

  /** @param argv what the guest needs; monitor, serial port and a display that can be dumped are there already. Starts at once. */
  static async start(argv: string[]): Promise<BareQemu> {
    const folder = await mkdtemp(join(tmpdir(), 'ringside-bare-'))
    const child = spawn(
      await qemuProgram(),
      [
        ...['-nodefaults', '-no-user-config', '-display', 'none', '-S'],
        ...['-chardev', 'socket,id=qmp,path=qmp,server=on,wait=off', '-mon', 'chardev=qmp,mode=control'],
        ...['-chardev', 'socket,id=serial0,path=serial0,server=on,wait=off', '-serial', 'chardev:serial0'],
        ...argv,
      ],
      { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    let stderr = ''
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    const ended = (once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>).then(([code, signal]) => ({
      code,
      signal,
      stderr,
    }))
    try {
      const qmpSocket = await Promise.race([connectWhenThere(join(folder, 'qmp'), child), refuseOnEnd(ended)])
      const serialSocket = await connectWhenThere(join(folder, 'serial0'), child)
      const qmp = await Qmp.greet(qmpSocket)
      const qemu = new BareQemu(folder, child, ended, qmp, serialSocket)
      await qemu.qmp('cont')
      return qemu
    } catch (error) {
      child.kill('SIGKILL')
      await ended.catch(() => null)
      await rm(folder, { recursive: true, force: true })
      throw error
    }
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** What the session listens to, for who wants to time it. */
  get serialStream(): Duplex {
    return this.#serialSocket
  }

  qmp(execute: string, argument: Record<string, unknown> = {}): Promise<unknown> {
    return this.#qmp.command(execute, argument)
  }

  /** Presses and releases keys together, by QEMU's names for them (QKeyCode). */
  async pressKeys(...names: string[]): Promise<void> {
    await this.qmp('send-key', { keys: names.map((name) => ({ type: 'qcode', data: name })) })
  }

  async screen(): Promise<Picture> {
    const path = join(this.folder, 'screen.png')
    await this.qmp('screendump', { filename: path, format: 'png' })
    return readPng(path)
  }

  /** The first screen that shows something, passes `isRight`, and is the same again half a second later. A blinking cursor is fine. */
  async settledScreen(isRight: (picture: Picture) => boolean = () => true, timeoutMs = 60_000): Promise<Picture> {
    const deadline = performance.now() + timeoutMs
    let last = await this.screen()
    while (performance.now() < deadline) {
      await setTimeout(500)
      const next = await this.screen()
      if (colourCount(next) > 1 && isRight(next) && difference(last, next) < 0.001) return next
      last = next
    }
    throw new Error(`The screen did not come to rest within ${String(timeoutMs)} ms.`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL')
    this.serial[Symbol.dispose]()
    this.#serialSocket.destroy()
    this.#qmp.close()
    await this.ended.catch(() => null)
    await rm(this.folder, { recursive: true, force: true })
  }
}

interface Reply {
  return?: unknown
  error?: { desc: string }
  event?: string
}

/** Just enough of QMP: one command at a time, events dropped. */
class Qmp {
  readonly #socket: Socket
  readonly #replies: ((reply: Reply) => void)[] = []

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('error', () => socket.destroy())
    createInterface({ input: socket })
      .on('line', (line) => {
        const reply = JSON.parse(line) as Reply
        if (reply.return !== undefined || reply.error) this.#replies.shift()?.(reply)
      })
      // Without a listener a reset connection, as a killed QEMU leaves it, would be thrown.
      .on('error', () => undefined)
    socket.on('close', () => {
      for (const settle of this.#replies.splice(0)) settle({ error: { desc: 'QEMU closed the monitor' } })
    })
  }

  static async greet(socket: Socket): Promise<Qmp> {
    const qmp = new Qmp(socket)
    await qmp.command('qmp_capabilities', {})
    return qmp
  }

  command(execute: string, argument: Record<string, unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#replies.push((reply) => {
        if (reply.error) reject(new Error(`QEMU refused ${execute}: ${reply.error.desc}`))
        else resolve(reply.return)
      })
      this.#socket.write(`${JSON.stringify({ execute, arguments: argument })}\n`)
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}

async function refuseOnEnd(ended: Promise<QemuEnd>): Promise<never> {
  const { code, signal, stderr } = await ended
  throw new Error(`QEMU ended at once (${String(code ?? signal)}): ${stderr.trim()}`)
}

/** QEMU makes its sockets some milliseconds after it starts, and says so nowhere. */
async function connectWhenThere(path: string, child: ChildProcess): Promise<Socket> {
  for (;;) {
    const socket = connect(path)
    try {
      await once(socket, 'connect')
      return socket
    } catch (error) {
      socket.destroy()
      if (child.exitCode !== null || child.signalCode !== null) throw error
      await setTimeout(10)
    }
  }
}
