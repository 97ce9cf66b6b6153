import { RingsideError } from '@shared/errors'

/*
 * What speaks against using an image, in words. Each names the file and what to do.
 */

export function emptyFile(path: string): RingsideError {
  return new RingsideError('FILE_EMPTY', `The file is empty, it has 0 bytes: ${path}`, { path, hint: 'Download or copy it again.' })
}

export function damagedImage(path: string, format: string, reason: string): RingsideError {
  return new RingsideError('IMAGE_DAMAGED', `The ${format} image is damaged, ${reason}: ${path}`, {
    path,
    hint: 'Download or copy it again, or take it from a backup.',
  })
}

export function truncatedImage(path: string, format: string, has: number, needs: number): RingsideError {
  return new RingsideError(
    'IMAGE_DAMAGED',
    `The ${format} image is cut short: it has ${bytesInWords(has)}, and its tables speak of at least ${bytesInWords(needs)}: ${path}`,
    { path, hint: 'The download or copy was not finished; do it again.' },
  )
}

export function corruptImage(path: string): RingsideError {
  return new RingsideError('IMAGE_DAMAGED', `The qcow2 image is marked as corrupt: ${path}`, {
    path,
    hint: `Make a copy of it, then try: qemu-img check -r all '${path}'`,
  })
}

export function unsupportedImage(path: string, why: string, hint: string): RingsideError {
  return new RingsideError('IMAGE_UNSUPPORTED', `This image can't be used, ${why}: ${path}`, { path, hint })
}

/** What it is to be done with an image that somebody has encrypted elsewhere. No machine is named: none has its key. */
export function passphraseNeeded(path: string): RingsideError {
  return new RingsideError('KEY_REQUIRED', `The image is encrypted with a passphrase of its own: ${path}`, { path, hint: 'Give that passphrase where it is brought in, or where a machine is made from it; a copy is made then.' })
}

/** An image that would make QEMU open another file of the image's choosing. */
export function reachesOutside(
  path: string,
  other: string,
  how: 'is based on' | 'keeps its content in' | 'holds only the changes of',
): RingsideError {
  return new RingsideError('BACKING_FILE_OUTSIDE', `The image ${how} a file outside the library: ${path} needs ${other}`, {
    path,
    hint: how === 'is based on'
      ? 'A foreign image could read any file of yours that way. If you trust both, accept exactly that file while the disk is converted, or join them with qemu-img convert.'
      : 'A foreign image could read any file of yours that way. If you trust both, join them with the program that made them, or with qemu-img convert.',
  })
}

export function missingBacking(path: string, other: string): RingsideError {
  return new RingsideError('FILE_NOT_FOUND', `The image is based on a file that is not there: ${path} needs ${other}`, {
    path: other,
    hint: 'Put that file back in its place.',
  })
}

export function bytesInWords(bytes: number): string {
  if (bytes < 1024) return `${String(bytes)} bytes`
  const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let value = bytes
  let unit = -1
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit] ?? ''}`
}
