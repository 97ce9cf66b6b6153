import { RingsideError } from '@shared/errors'
import type { Terminal } from './terminal'

/** All of standard input. @throws `INVALID_INPUT` beyond the limit, `CANCELLED` */
export async function readInput({ terminal: { stdin }, signal }: { readonly terminal: Terminal; readonly signal: AbortSignal }, limitBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let length = 0
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const onData = (piece: Buffer | string): void => {
    const bytes = Buffer.from(piece)
    pieces.push(bytes)
    length += bytes.length
    if (length > limitBytes) reject(new RingsideError('INVALID_INPUT', `Standard input has more than ${String(limitBytes / 1024)} KiB.`, { hint: 'Copy it into the guest as a file: `ringside guest copy`.' }))
  }
  const onEnd = (): void => { resolve(Buffer.concat(pieces)) }
  const onAbort = (): void => { reject(new RingsideError('CANCELLED', 'Interrupted.')) }
  stdin.on('data', onData).once('end', onEnd).once('error', reject)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await promise
  } finally {
    stdin.off('data', onData).off('end', onEnd).off('error', reject)
    // Reading would keep the process alive.
    stdin.pause()
    signal.removeEventListener('abort', onAbort)
  }
}
