import { open } from 'node:fs/promises'
import { invalidInput, RingsideError } from '@shared/errors'
import { Passphrase } from '@shared/model'
import { askSecret } from './ask-secret'
import { readInput } from './read-input'
import { isInteractive, type Terminal } from './terminal'

/** Far more than a passphrase has, bytes. */
const limitBytes = 8192

export interface PassphraseSource { readonly terminal: Terminal; readonly signal: AbortSignal; readonly json: boolean }

/** Who can't be asked says it in a file. */
export const passphraseHint = 'Say --passphrase-file with a file that holds it in its first line, or “-” for standard input.'

/** The passphrase of a machine with encrypted disks: from the file that was named, else asked for. null: nobody can answer. */
export async function givenPassphrase(source: PassphraseSource, file: string | undefined, question: string): Promise<string | null> {
  if (file !== undefined) return fromFile(source, file)
  if (source.json || !isInteractive(source.terminal.stdin)) return null
  return askSecret(source, question)
}

/** A new passphrase: from the file that was named, else asked for twice. null: nobody can answer. @throws `INVALID_INPUT` */
export async function newPassphrase(source: PassphraseSource, file: string | undefined, machine: string): Promise<string | null> {
  const given = await givenPassphrase(source, file, `New passphrase for the encrypted disks of “${machine}”: `)
  if (given === null) return null
  const checked = Passphrase.safeParse(given)
  if (!checked.success) throw invalidInput(checked.error.issues.map(({ message }) => ({ path: 'passphrase', message, severity: 'error' })))
  if (file === undefined && given !== (await askSecret(source, 'Once more: '))) throw invalidInput([{ path: 'passphrase', message: 'The two were not the same; nothing was changed.', severity: 'error' }])
  return given
}

async function fromFile(source: PassphraseSource, path: string): Promise<string> {
  if (path === '-') return firstLine(await readInput(source, limitBytes))
  try {
    await using file = await open(path, 'r')
    const { buffer, bytesRead } = await file.read(Buffer.alloc(limitBytes), 0, limitBytes, null)
    return firstLine(buffer.subarray(0, bytesRead))
  } catch (cause) {
    throw new RingsideError('FILE_UNREADABLE', `The passphrase can't be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}): ${path}`, { path }, { cause })
  }
}

function firstLine(bytes: Buffer): string {
  return bytes.toString('utf8').split(/\r?\n/u, 1)[0] ?? ''
}
