import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { fileError } from '../config'

/** SHA-256 and length of a file. Throws `FILE_UNREADABLE`, and what the signal says. */
export async function hashFile(path: string, signal: AbortSignal, onProgress: (bytes: number) => void = () => undefined): Promise<{ sha256: string; bytes: number }> {
  try {
    await using file = await open(path, 'r')
    const hash = createHash('sha256')
    let bytes = 0
    for await (const chunk of file.createReadStream({ highWaterMark: 2 ** 20, autoClose: false })) {
      signal.throwIfAborted()
      hash.update(chunk as Buffer)
      bytes += (chunk as Buffer).length
      onProgress(bytes)
    }
    return { sha256: hash.digest('hex'), bytes }
  } catch (error) {
    if (signal.aborted) throw error
    throw fileError(error, path, 'read')
  }
}
