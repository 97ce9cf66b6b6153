import { createWriteStream } from 'node:fs'
import { access, mkdir, readdir, rename, rm, statfs } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { basename, dirname, extname, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { RingsideError, serialiseError } from '@shared/errors'
import { sendJson } from './replies'

/** Left free on the disk whatever is uploaded, bytes. */
const keepFreeBytes = 512 * 2 ** 20
/** A sender that is silent for this long has gone. Milliseconds. */
const silenceMs = 30_000
/** How long the rest of a refused file is read. Milliseconds. */
const readOnMs = 10_000

/**
 * Takes a file that was dropped on the page: streamed to `.uploading-<name>` in `folder`, renamed when it is whole. Answers
 * `{path, bytes}`; an existing file of the name stays, the new one gets a number.
 */
export async function receiveUpload(folder: string, askedName: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const refuseUpload = (status: number, error: RingsideError): void => {
    sendJson(response, status, serialiseError(error))
    // A sender that is cut off would often not read why: what it has on the way is thrown away, for a while.
    const cut = setTimeout(() => request.destroy(), readOnMs)
    request.once('close', () => { clearTimeout(cut) }).resume()
  }
  const name = safeFileName(askedName)
  if (name === null) {
    refuseUpload(400, new RingsideError('INVALID_INPUT', 'The file has a name that cannot be used here.', { hint: 'Rename it to letters, digits, dots and dashes.' }))
    return
  }
  await mkdir(folder, { recursive: true })
  const length = Number(request.headers['content-length'])
  const room = await roomIn(folder)
  if (!Number.isSafeInteger(length) || length < 0) {
    refuseUpload(411, new RingsideError('PROTOCOL', 'An upload has to say its length.'))
    return
  }
  if (length > room) {
    const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1)
    refuseUpload(507, new RingsideError('DISK_FULL', `The file has ${gib(length)} GiB and only ${gib(Math.max(0, room))} GiB may be filled in ${folder}.`, {
      path: folder, hint: 'Make room, or copy the file to this computer another way and choose it there.',
    }))
    return
  }
  const target = await freeName(folder, name)
  const partial = partialOf(target)
  let bytes = 0
  request.setTimeout(silenceMs, () => request.destroy(new Error('The sender fell silent.')))
  try {
    const counter = new Transform({
      transform(piece: Buffer, _encoding, done) {
        bytes += piece.length
        done(null, piece)
      },
    })
    await pipeline(request, counter, createWriteStream(partial, { flags: 'wx', mode: 0o600, flush: true }))
    if (bytes !== length) throw new RingsideError('PROTOCOL', 'The file did not arrive whole.', { hint: 'Drop it again.' })
    await rename(partial, target)
  } catch (thrown) {
    await rm(partial, { force: true })
    if ((thrown as NodeJS.ErrnoException).code === 'ENOSPC') {
      throw new RingsideError('DISK_FULL', `The disk filled up while the file arrived; nothing of it was kept in ${folder}.`, { path: folder, hint: 'Make room and drop it again.' }, { cause: thrown })
    }
    throw thrown
  }
  sendJson(response, 201, { path: target, bytes })
}

/** No name that is asked for begins with a dot, so what has this one is half a file of ours. */
const partialPrefix = '.uploading-'

function partialOf(target: string): string {
  return join(dirname(target), `${partialPrefix}${basename(target)}`)
}

/** Takes away what was on its way when an earlier host was killed. Only the one host of the library may call this. */
export async function clearBrokenUploads(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  await Promise.all(names.filter((name) => name.startsWith(partialPrefix)).map((name) => rm(join(folder, name), { force: true }).catch(() => undefined)))
}

/** The name without any folder or character that some file system takes for something else; null when nothing is left. */
export function safeFileName(asked: string): string | null {
  const last = asked.normalize('NFC').split(/[/\\]/u).at(-1) ?? ''
  const cleaned = last
    // eslint-disable-next-line no-control-regex
    .replace(/[\u0000-\u001f\u007f<>:"|?*]/gu, '_')
    .replace(/^\.+/u, '')
    .replace(/[. ]+$/u, '')
    .trim()
  if (cleaned === '') return null
  const extension = extname(cleaned).slice(0, 20)
  const stem = cleaned.slice(0, cleaned.length - extname(cleaned).length).slice(0, 150)
  // Names of devices on Windows, whatever their extension.
  const device = /^(con|prn|aux|nul|com\d|lpt\d)$/iu.test(stem)
  return `${device ? '_' : ''}${stem}${extension}`
}

async function roomIn(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize - keepFreeBytes
}

/** `name`, or `name (2)` and so on: what is there stays, half-uploaded files included. */
async function freeName(folder: string, name: string): Promise<string> {
  const extension = extname(name)
  const stem = name.slice(0, name.length - extension.length)
  for (let number = 1; ; number++) {
    const path = join(folder, number === 1 ? name : `${stem} (${String(number)})${extension}`)
    if (!(await exists(path)) && !(await exists(partialOf(path)))) return path
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false)
}
