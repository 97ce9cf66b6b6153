import { writeFile } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import type { Run } from './cli'
import { sizeInWords } from './output'

/**
 * Writes a PNG where it is wanted and answers with its place and size.
 * @param of what it is of, for `--json`
 * @param file a path, or `-` for standard output
 * @throws `FILE_UNREADABLE`
 */
export async function answerPicture(run: Run, of: object, picture: Blob, file: string): Promise<void> {
  const png = new Uint8Array(await picture.arrayBuffer())
  if (file === '-') return void run.terminal.stdout.write(png)
  try {
    await writeFile(file, png)
  } catch (cause) {
    throw new RingsideError('FILE_UNREADABLE', `The picture cannot be written to ${file}: ${(cause as Error).message}.`, { path: file }, { cause })
  }
  // Width and height are the first two numbers of the IHDR chunk (PNG specification, 11.2.1).
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength)
  const [width, height] = [view.getUint32(16), view.getUint32(20)]
  run.answer({ ...of, path: file, bytes: png.length, width, height }, `${file}: ${String(width)} × ${String(height)}, ${sizeInWords(png.length)}\n`)
}
