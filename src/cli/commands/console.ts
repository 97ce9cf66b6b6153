import type { RawData, WebSocket } from 'ws'
import { InvalidArgumentError } from 'commander'
import { openLocalSocket, opened } from '@server/local-client'
import { RingsideError } from '@shared/errors'
import { usageError, type Cli, type Run } from '../cli'
import { isInteractive } from '../terminal'
import { seconds } from './lifecycle'

/** Ctrl+], as telnet and virsh have it. */
const leaveKey = 0x1d

interface ConsoleOptions {
  port: number
  seconds?: number
  until?: RegExp
}

export function registerConsole(cli: Cli): void {
  const command = cli
    .command('console <machine>', 'A serial port of a running machine in this terminal. Ctrl+] leaves. Where standard input is no terminal, bytes are passed through.')
    .option('--port <number>', 'which serial port', portNumber, 0)
    .option('--seconds <number>', 'leave after this long', seconds)
    .option('--until <pattern>', 'leave once the machine has printed something that matches; ends with 8 when --seconds run out before', pattern)
  command.action((wanted: string, options: ConsoleOptions) =>
    cli.perform(command, async (run) => {
      if (run.json) throw usageError('error: a console has no JSON form; `ringside log --of serial0 --json` has')
      const machine = await run.machine(wanted)
      const { ticket } = await run.client.console.open({ id: machine.id, channel: { type: 'serial', port: options.port } })
      const socket = openLocalSocket(run.address, `/console?ticket=${ticket}`)
      const open = async (): Promise<void> => {
        await opened(socket, run.address)
        if (isInteractive(run.terminal.stdin)) run.remark(`Connected to “${machine.definition.name}”, Ctrl+] leaves.\n`)
      }
      await pump(run, socket, open, options)
    }),
  )
}

/** Passes bytes both ways until either side or one of the conditions ends it. */
async function pump(run: Run, socket: WebSocket, open: () => Promise<void>, options: ConsoleOptions): Promise<void> {
  const { stdin, stdout } = run.terminal
  const setRaw = isInteractive(stdin) && stdin.setRawMode ? stdin.setRawMode.bind(stdin) : null
  const { promise: end, resolve } = Promise.withResolvers<'left' | 'matched' | 'closed' | 'time' | 'interrupted'>()
  let tail = ''

  const onInput = (piece: Buffer | string): void => {
    const bytes = Buffer.from(piece)
    const leave = setRaw ? bytes.indexOf(leaveKey) : -1
    const sent = leave < 0 ? bytes : bytes.subarray(0, leave)
    if (sent.length > 0) socket.send(sent)
    if (leave >= 0) resolve('left')
  }
  const onOutput = (data: RawData): void => {
    const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer)
    if (!stdout.write(bytes)) {
      socket.pause()
      stdout.once('drain', () => { socket.resume() })
    }
    if (options.until) {
      // Enough to find what was cut in two by the pieces, and no more.
      tail = (tail + bytes.toString('utf8')).slice(-65_536)
      if (options.until.test(tail)) resolve('matched')
    }
  }
  const onInterrupt = (): void => { resolve('interrupted') }

  // Listened to before it opens: the first bytes may come with the handshake.
  socket.on('message', onOutput)
  await open()
  const timer = options.seconds === undefined ? null : setTimeout(() => { resolve('time') }, options.seconds * 1000)
  socket.once('close', () => { resolve('closed') })
  socket.on('error', () => { resolve('closed') })
  run.signal.addEventListener('abort', onInterrupt, { once: true })
  setRaw?.(true)
  stdin.on('data', onInput)
  try {
    const why = await end
    if (setRaw) run.terminal.stderr.write('\r\n')
    if (why === 'closed') run.remark('The console ended.\n')
    if (why === 'interrupted') throw new RingsideError('CANCELLED', 'Interrupted; the machine goes on.')
    if (options.until && why !== 'matched' && why !== 'left') {
      if (why === 'time') throw new RingsideError('TIMED_OUT', `The machine printed nothing that matches ${String(options.until)} within ${String(options.seconds)} seconds.`)
      throw new RingsideError('ILLEGAL_STATE', `The machine ended its console before it printed anything that matches ${String(options.until)}.`)
    }
  } finally {
    if (timer) clearTimeout(timer)
    stdin.off('data', onInput)
    // Reading would keep the process alive.
    stdin.pause()
    setRaw?.(false)
    run.signal.removeEventListener('abort', onInterrupt)
    socket.terminate()
  }
}

function portNumber(text: string): number {
  if (!/^[0-3]$/u.test(text)) throw new InvalidArgumentError('It is a number from 0 to 3.')
  return Number(text)
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text, 'u')
  } catch (cause) {
    throw new InvalidArgumentError(`It is no regular expression: ${(cause as Error).message}.`)
  }
}
