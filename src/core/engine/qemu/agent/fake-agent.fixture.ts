import { Duplex } from 'node:stream'

export interface Command { execute: string; arguments?: { id?: number } & Record<string, unknown> }

/** The agent's end of the channel, byte by byte. It answers a sync unless told otherwise. */
export class FakeAgent {
  readonly commands: string[] = []
  readonly received: number[] = []
  readonly stream: Duplex
  frozen = false
  onCommand: (command: Command) => void = (command) => { this.obey(command) }

  constructor() {
    this.stream = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        this.received.push(...chunk)
        for (const line of chunk.subarray(chunk.indexOf(0xff) + 1).toString('utf8').split('\n').filter((text) => text !== '')) {
          const command = JSON.parse(line) as Command
          if (command.execute !== 'guest-sync-delimited') this.commands.push(command.execute)
          this.onCommand(command)
        }
        done()
      },
    })
  }

  send(bytes: string | Uint8Array): void {
    this.stream.push(bytes)
  }

  answer(value: unknown): void {
    this.send(`${JSON.stringify({ return: value })}\n`)
  }

  sync(command: Command): void {
    this.send(Buffer.concat([Buffer.of(0xff), Buffer.from(`${JSON.stringify({ return: command.arguments?.id })}\n`)]))
  }

  obey(command: Command): void {
    switch (command.execute) {
      case 'guest-sync-delimited': this.sync(command); return
      case 'guest-fsfreeze-freeze': this.frozen = true; this.answer(2); return
      case 'guest-fsfreeze-thaw': this.frozen = false; this.answer(2); return
      case 'guest-fsfreeze-status': this.answer(this.frozen ? 'frozen' : 'thawed'); return
      default: this.answer({})
    }
  }
}
