import type { Duplex } from 'node:stream'
import { expect } from 'vitest'
import { guestPrompt, guestReady } from './initrd'
import { SerialSession } from './serial-session'

let questions = 0
/** The last answer of each machine. */
const answers = new Map<string, string>()

/** The shell of a guest, by its serial port. Each question has a mark of its own, as a console opens with its past. */
export class GuestShell {
  constructor(private readonly session: SerialSession, private readonly id: string) {}

  /** Waits until it has booted since it was last asked something: before, what is typed can be lost. */
  async booted(): Promise<void> {
    const last = answers.get(this.id)
    if (last !== undefined) await this.session.waitFor(last)
    await this.session.waitFor(guestReady)
    await this.session.waitFor(guestPrompt)
  }

  async ask(command: string): Promise<string> {
    const mark = `answer-${String(++questions)}`
    this.session.sendLine(`echo ${mark}'='"$(${command})"';'`)
    const [answer = '', text = ''] = new RegExp(`${mark}=([^;]*);`).exec(await this.session.waitFor(new RegExp(`${mark}=[^;]*;`))) ?? []
    answers.set(this.id, answer)
    return text.replaceAll('\r\n', '\n')
  }

  /** Waits, for some seconds, until a command succeeds in the guest. */
  async until(command: string): Promise<void> {
    expect(await this.ask(`n=0; until ${command}; do n=$((n+1)); [ $n -lt 500 ] || break; usleep 20000; done; [ $n -lt 500 ] && echo yes || echo no`)).toBe('yes')
  }
}

interface Consoles { openConsole(id: string, kind: 'serial'): Promise<Duplex> }

/** Talks with the shell of a guest, from its boot on or in the middle of its life. */
export function atShell<Result>(open: Consoles, id: string, talk: (shell: GuestShell) => Promise<Result>): Promise<Result> {
  return atShellOf(GuestShell, open, id, talk)
}

/** The same, with a shell that can do more. */
export async function atShellOf<Shell extends GuestShell, Result>(kind: new (session: SerialSession, id: string) => Shell, open: Consoles, id: string, talk: (shell: Shell) => Promise<Result>): Promise<Result> {
  const stream = await open.openConsole(id, 'serial')
  using session = new SerialSession(stream)
  try {
    return await talk(new kind(session, id))
  } finally {
    stream.destroy()
  }
}
