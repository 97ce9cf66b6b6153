import { lstat, open, stat } from 'node:fs/promises'
import { z } from 'zod'
import { messageOf, RingsideError } from '@shared/errors'
import { writeAtomically } from './atomic-write'
import { fileError } from './file-error'

/** Turns content of one version into that of the next. Pure. */
export type Migration = (old: Record<string, unknown>) => Record<string, unknown>

/** The form of a file that carries an integer `schemaVersion`. */
export interface FileFormat<T> {
  /** For sentences: `The settings`, `The machine's definition`. */
  readonly title: string
  readonly version: number
  readonly schema: z.ZodType<T>
  /** `migrations[n]` turns version n into n + 1; there is one for every version below the current one. */
  readonly migrations: Readonly<Record<number, Migration>>
}

/** No file of ours comes near this; whatever is larger is none of ours and is not read into memory. */
const maximumBytes = 16 * 1024 * 1024

/**
 * load -> migrate -> default -> validate -> save atomically. What can't be understood is reported with path and reason and left as
 * it is. Saving is serialised, so that the last value that was handed in is the one that stays.
 */
export class VersionedFile<T> {
  #lastWrite: Promise<void> = Promise.resolve()

  /** @param links whether the file may be a symbolic link; in a folder that came from elsewhere it may not */
  constructor(
    readonly path: string,
    readonly format: FileFormat<T>,
    private readonly links: 'follow' | 'refuse' = 'follow',
  ) {}

  /** Throws `FILE_NOT_FOUND`, `FILE_UNREADABLE`, `DEFINITION_NEWER` or `DEFINITION_DAMAGED`. Never writes. */
  async load(): Promise<T> {
    return parseVersioned(this.format, await this.#read(), this.path)
  }

  /** Throws `DISK_FULL` or `FILE_UNREADABLE`, after which the file is as it was. A value that breaks the schema is a defect. */
  async save(value: T): Promise<void> {
    const content = `${JSON.stringify(this.format.schema.parse(value), null, 2)}\n`
    const write = this.#lastWrite.then(() => writeAtomically(this.path, content))
    this.#lastWrite = write.catch(() => undefined)
    await write
  }

  async #read(): Promise<string> {
    const { title } = this.format
    try {
      const found = this.links === 'refuse' ? await lstat(this.path) : await stat(this.path)
      if (!found.isFile()) {
        const what = found.isSymbolicLink() ? 'a link' : found.isDirectory() ? 'a folder' : 'no ordinary file'
        throw new RingsideError('FILE_UNREADABLE', `${title} can't be read, it is ${what}: ${this.path}`, {
          path: this.path,
          hint: 'Put the file itself in its place.',
        })
      }
      if (found.size > maximumBytes)
        throw damaged(title, this.path, `it has ${String(found.size)} bytes, far more than such a file ever has`)
      const file = await open(this.path, 'r')
      try {
        return await file.readFile('utf8')
      } finally {
        await file.close()
      }
    } catch (cause) {
      throw fileError(cause, this.path, 'read')
    }
  }
}

/** Understands the text of such a file. Throws `DEFINITION_NEWER` or `DEFINITION_DAMAGED`. */
export function parseVersioned<T>(format: FileFormat<T>, text: string, path: string): T {
  let content: unknown
  try {
    content = JSON.parse(text.replace(/^\uFEFF/u, ''))
  } catch (cause) {
    throw damaged(format.title, path, text.trim() === '' ? 'it is empty' : `it is no JSON (${(cause as Error).message})`, cause)
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw damaged(format.title, path, 'it holds no JSON object')
  let fields = content as Record<string, unknown>
  const version = fields['schemaVersion']
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1)
    throw damaged(format.title, path, 'its schemaVersion is no whole number from 1')
  if (version > format.version) {
    const by = typeof fields['createdBy'] === 'string' ? ` (${fields['createdBy'].slice(0, 80)})` : ''
    throw new RingsideError(
      'DEFINITION_NEWER',
      `${format.title} was written by a newer Ringside${by}: it has format ${String(version)}, and this one reads up to ${String(format.version)}: ${path}`,
      { path, hint: 'Update Ringside. The file is left as it is.' },
    )
  }
  for (let at = version; at < format.version; at += 1) {
    const migrate = format.migrations[at]
    if (migrate === undefined) throw new RingsideError('INTERNAL', `No migration of ${format.title} from format ${String(at)}.`)
    try {
      fields = { ...migrate(fields), schemaVersion: at + 1 }
    } catch (cause) {
      throw damaged(
        format.title,
        path,
        `it can't be brought from format ${String(at)} to ${String(at + 1)} (${messageOf(cause)})`,
        cause,
      )
    }
  }
  const parsed = format.schema.safeParse(fields)
  if (!parsed.success) throw damaged(format.title, path, faultsInWords(parsed.error))
  return parsed.data
}

function faultsInWords(error: z.ZodError): string {
  const shown = error.issues.slice(0, 5).map((issue) => `${issue.path.length === 0 ? 'content' : issue.path.join('.')}: ${issue.message.replace(/\.$/u, '')}`)
  const more = error.issues.length - shown.length
  return `${shown.join('; ')}${more > 0 ? `; and ${String(more)} more` : ''}`
}

function damaged(title: string, path: string, reason: string, cause?: unknown): RingsideError {
  return new RingsideError(
    'DEFINITION_DAMAGED',
    `${title} is damaged: ${reason}: ${path}`,
    { path, hint: 'Repair the file or put a backup in its place. It is left as it is.' },
    { cause },
  )
}
