import { isRingsideError } from '@shared/errors'
import { LibraryProblem } from '@shared/model'

/** A file that could not be opened, as it is shown to people. */
export function problemOf(thrown: unknown, folder: string, path: string): LibraryProblem {
  if (!isRingsideError(thrown)) throw thrown
  const code = LibraryProblem.shape.code.safeParse(thrown.code)
  return {
    folder,
    path,
    code: code.success ? code.data : 'FILE_UNREADABLE',
    message: thrown.message,
    hint: thrown.data.hint ?? 'The file is left as it is.',
  }
}
