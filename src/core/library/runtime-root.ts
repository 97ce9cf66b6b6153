import { chmod, lstat, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { RingsideError } from '@shared/errors'
import { makeFolder } from '../config'
import { assertSocketsFit, runtimeRootCandidates } from './paths'

/**
 * Finds or makes the folder below which running machines have their sockets: private to the user, because whoever can connect to
 * a socket in it owns the machine.
 * Throws `UNAUTHORIZED` when the folder is somebody else's or others can write to it, `INVALID_INPUT` when its path is too long.
 */
export async function openRuntimeRoot(
  dataFolder: string,
  environment: NodeJS.ProcessEnv = process.env,
  host: { platform: NodeJS.Platform; temporaryFolder: string } = { platform: process.platform, temporaryFolder: tmpdir() },
): Promise<string> {
  const system = { ...host, uid: process.getuid?.() ?? 0, dataFolder }
  const candidates = runtimeRootCandidates(environment, system)
  for (const candidate of candidates) {
    if (candidate.parentMustExist && !(await isOwnFolder(dirname(candidate.path), system.uid, system.temporaryFolder))) continue
    assertSocketsFit(candidate.path)
    await makePrivate(candidate.path)
    return candidate.path
  }
  throw new RingsideError(
    'FILE_UNREADABLE',
    `There is no folder for the sockets of running machines; looked at ${candidates.map((c) => c.path).join(', ')}.`,
    {
      hint: 'Set RINGSIDE_RUNTIME to a folder of yours that has a short path.',
    },
  )
}

/** Makes the folder with mode 0700, or checks that the one which is there is a folder of this user's alone. */
export async function makePrivate(folder: string): Promise<void> {
  try {
    await makeFolder(folder)
  } catch (cause) {
    throw new RingsideError(
      'FILE_UNREADABLE',
      `The folder for running machines can't be made. ${(cause as Error).message}`,
      {
        path: folder,
        hint: 'Set RINGSIDE_RUNTIME to a folder of yours that has a short path.',
      },
      { cause },
    )
  }
  if (process.platform === 'win32') return
  const found = await lstat(folder)
  const hint = 'Remove it, or set RINGSIDE_RUNTIME to another folder of yours.'
  const uid = process.getuid?.()
  if (!found.isDirectory())
    throw new RingsideError('UNAUTHORIZED', `The folder for running machines is no folder but a link or a file: ${folder}`, {
      path: folder,
      hint,
    })
  if (found.uid !== uid) {
    throw new RingsideError(
      'UNAUTHORIZED',
      `The folder for running machines belongs to another user (uid ${String(found.uid)}): ${folder}`,
      { path: folder, hint },
    )
  }
  if ((found.mode & 0o022) !== 0) {
    throw new RingsideError(
      'UNAUTHORIZED',
      `Other users can write to the folder for running machines (mode ${(found.mode & 0o777).toString(8)}): ${folder}`,
      { path: folder, hint },
    )
  }
  if ((found.mode & 0o077) !== 0) await chmod(folder, 0o700)
}

/** A folder that is this user's, or the temporary folder that everybody shares. */
async function isOwnFolder(folder: string, uid: number, shared: string): Promise<boolean> {
  try {
    const found = await stat(folder)
    return found.isDirectory() && (folder === shared || found.uid === uid)
  } catch {
    return false
  }
}
