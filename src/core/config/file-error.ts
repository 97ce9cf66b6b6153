import { messageOf, RingsideError } from '@shared/errors'

/** The system's name of an error (`ENOENT`), or an empty string. */
export function errnoOf(thrown: unknown): string {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : ''
}

/**
 * The typed error for what the file system said about a path, with what to do.
 * @param done what could not be done, as in "can't be read"
 */
export function fileError(thrown: unknown, path: string, done: 'read' | 'written' | 'copied' | 'removed' | 'opened'): RingsideError {
  if (thrown instanceof RingsideError) return thrown
  const code = errnoOf(thrown)
  const options = { cause: thrown }
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new RingsideError(
        'FILE_NOT_FOUND',
        `There is no such file: ${path}`,
        { path, hint: 'Check the path; the file may have been moved, renamed, or lie on a drive that is not connected.' },
        options,
      )
    case 'EEXIST':
    case 'ENOTEMPTY':
      return new RingsideError(
        'FILE_EXISTS',
        `There is something at this path already: ${path}`,
        { path, hint: 'Move it away and try again.' },
        options,
      )
    case 'EISDIR':
      return new RingsideError('NOT_A_FILE', `This is a folder, not a file: ${path}`, { path, hint: 'Choose a file in it.' }, options)
    case 'EACCES':
    case 'EPERM':
      return new RingsideError(
        'FILE_UNREADABLE',
        `Permission denied; this can't be ${done}: ${path}`,
        { path, hint: `Change the permissions of the file and of the folders above it so that ${userName()} may use it.` },
        options,
      )
    case 'ENOSPC':
    case 'EDQUOT':
      return new RingsideError(
        'DISK_FULL',
        `No space is left on the drive: ${path}`,
        { path, hint: 'Free some space there, or choose another place.' },
        options,
      )
    case 'EROFS':
      return new RingsideError(
        'FILE_UNREADABLE',
        `The file system is read-only; this can't be ${done}: ${path}`,
        { path, hint: 'Choose a place that can be written to.' },
        options,
      )
    case 'ELOOP':
      return new RingsideError('FILE_UNREADABLE', `Links lead in a circle: ${path}`, { path, hint: 'Choose the file itself.' }, options)
    case 'ENAMETOOLONG':
      return new RingsideError(
        'INVALID_INPUT',
        `The path is longer than the system takes: ${path.slice(0, 80)}…`,
        { hint: 'Choose a shorter path.' },
        options,
      )
    case 'EIO':
      return new RingsideError(
        'FILE_UNREADABLE',
        `The drive reports an error; this can't be ${done}: ${path}`,
        { path, hint: 'Check the drive, and copy what matters from it.' },
        options,
      )
    default: {
      const reason = messageOf(thrown)
      return new RingsideError(
        'FILE_UNREADABLE',
        `This can't be ${done}: ${path} (${reason})`,
        { path, hint: 'Check the drive and the permissions of the file.' },
        options,
      )
    }
  }
}

function userName(): string {
  const name = process.env['USER'] ?? process.env['LOGNAME'] ?? process.env['USERNAME']
  return name === undefined ? 'your user' : `the user “${name}”`
}
