import { RingsideError } from '@shared/errors'
import type { Terminal } from './terminal'

const keys = { interrupt: '\u0003', end: '\u0004', backspace: '\u0008', delete: '\u007f', clear: '\u0015' } as const

/** Asks a person for something that is not shown as it is typed. @throws `CANCELLED` on Ctrl+C */
export async function askSecret({ terminal: { stdin, stderr }, signal }: { readonly terminal: Terminal; readonly signal: AbortSignal }, question: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let typed: string[] = []
  const cancel = (): void => { reject(new RingsideError('CANCELLED', 'Interrupted; nothing was changed.')) }
  const onData = (piece: Buffer | string): void => {
    for (const key of piece.toString()) {
      if (key === '\r' || key === '\n' || key === keys.end) { resolve(typed.join('')); return }
      if (key === keys.interrupt) cancel()
      else if (key === keys.backspace || key === keys.delete) typed.pop()
      else if (key === keys.clear) typed = []
      else typed.push(key)
    }
  }
  stderr.write(question)
  stdin.setRawMode?.(true)
  stdin.on('data', onData)
  stdin.resume()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    return await promise
  } finally {
    stdin.off('data', onData)
    stdin.pause()
    stdin.setRawMode?.(false)
    stderr.write('\n')
    signal.removeEventListener('abort', cancel)
  }
}
