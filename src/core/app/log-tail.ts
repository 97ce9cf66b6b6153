import { constants } from 'node:fs'
import { isRingsideError } from '@shared/errors'
import { openOwnFile, requireOrdinaryFile } from '../config'

/**
 * The last bytes of a text file, from a line's start. A file that is not there yet is an empty log, not an error.
 * @throws `FILE_UNREADABLE`
 */
export async function readLogTail(path: string, maxBytes: number): Promise<string> {
  let file
  try {
    await requireOrdinaryFile(path)
    file = await openOwnFile(path, constants.O_RDONLY)
  } catch (error) {
    if (isRingsideError(error, 'FILE_NOT_FOUND')) return ''
    throw error
  }
  try {
    const { size } = await file.stat()
    const start = Math.max(0, size - maxBytes)
    const buffer = Buffer.alloc(size - start)
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start)
    const text = buffer.toString('utf8', 0, bytesRead)
    // The first line is cut in two, perhaps inside a character.
    const firstBreak = text.indexOf('\n')
    return start > 0 && firstBreak >= 0 ? text.slice(firstBreak + 1) : text
  } finally {
    await file.close()
  }
}
