import { lstat, open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { RingsideError } from '@shared/errors'
import { errnoOf, fileError, makeFolder, syncFolder } from '../../../config'

/**
 * What swtpm keeps of a TPM 2.0 for good: all its keys and indices, whole in one file, which it replaces by another one [swtpm: nvram-backend-dir]. What else may
 * lie in the folder belongs to a process: its lock, and what went from one to the next.
 */
const stateFile = 'tpm2-00.permall'

/** A TPM 2.0 has 128 KiB of indices at most [libtpms]; what is much larger is no such state. */
const largestState = 8 * 2 ** 20

/** Makes a folder in which a new TPM can be. On the drive when it resolves. Throws as `makeFolder` does. */
export async function makeTpmState(folder: string): Promise<void> {
  await writeTpmState(folder, null)
}

/**
 * Refuses a state that a TPM must not be started on: where its folder is gone, a new and empty TPM in its place would hide that its keys are lost.
 * Throws `FILE_NOT_FOUND`, `FILE_EXISTS` for what is no folder or no ordinary file, `FILE_UNREADABLE`.
 */
export async function requireTpmState(folder: string): Promise<void> {
  const found = await lstat(folder).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw fileError(error, folder, 'read')
    return null
  })
  if (found === null) {
    throw new RingsideError('FILE_NOT_FOUND', `The state of the machine’s TPM is missing: ${folder}`, {
      path: folder, hint: 'Put the folder back from a backup; or take the TPM out of the machine’s hardware and put a new one in, which has none of its keys.',
    })
  }
  if (!found.isDirectory()) throw new RingsideError('FILE_EXISTS', `The state of the machine’s TPM belongs here, and this is no folder: ${folder}`, { path: folder, hint: 'Move it away, and put the folder back.' })
  const file = join(folder, stateFile)
  const state = await lstat(file).catch(() => null)
  if (state !== null && !state.isFile()) throw new RingsideError('FILE_EXISTS', `The state of the machine’s TPM is no ordinary file: ${file}`, { path: file, hint: 'Move it away, and put the file back.' })
}

/** The state as it is at this moment, whole; null: the TPM has not been used yet. Throws what `requireTpmState` throws, and `IMAGE_DAMAGED` for what can be none. */
export async function readTpmState(folder: string): Promise<Uint8Array | null> {
  await requireTpmState(folder)
  const path = join(folder, stateFile)
  const handle = await open(path, 'r').catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw fileError(error, path, 'read')
    return null
  })
  if (handle === null) return null
  try {
    const { size } = await handle.stat()
    if (size > largestState) throw new RingsideError('IMAGE_DAMAGED', `This is no state of a TPM, it is far too large: ${path}`, { path, hint: 'Put the file back from a backup.' })
    return await handle.readFile()
  } catch (error) {
    throw fileError(error, path, 'read')
  } finally {
    await handle.close()
  }
}

/** Writes a state to a folder that nothing has, private to the user, and has it on the drive when it resolves; or nothing of it. @param state null: a new TPM */
export async function writeTpmState(folder: string, state: Uint8Array | null): Promise<void> {
  await makeFolder(folder)
  try {
    if (state !== null) await writeWhole(join(folder, stateFile), state)
    for (const place of [folder, dirname(folder), dirname(dirname(folder))]) await syncFolder(place)
  } catch (cause) {
    await rm(folder, { recursive: true, force: true }).catch(() => undefined)
    throw fileError(cause, folder, 'written')
  }
}

/** Copies a state that no process has. Throws what reading and writing throw; nothing is left then. */
export async function copyTpmState(from: string, to: string): Promise<void> {
  await writeTpmState(to, await readTpmState(from))
}

async function writeWhole(path: string, content: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
}
