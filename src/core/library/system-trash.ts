import { access, constants } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import trash from 'trash'

/** Moves a file or folder to the system's trash, outside Electron (inside it, the shell's own call is better). Throws where there is none. */
export async function systemTrash(path: string): Promise<void> {
  // Never as a pattern: a name may have brackets and stars in it.
  await trash(path, { glob: false })
}

/**
 * Why nothing can go to the trash, as far as that can be known before something does; null: as a rule it can. On Linux it is a folder of the person's [XDG: Trash specification], and
 * services, for one, have no home that they may write to.
 */
export async function trashObstacle(environment: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): Promise<string | null> {
  if (platform !== 'linux') return null
  const given = environment['XDG_DATA_HOME']
  const folder = join(given !== undefined && isAbsolute(given) ? given : join(environment['HOME'] ?? homedir(), '.local/share'), 'Trash')
  return (await canBeWritten(folder)) ? null : `The trash can’t be written to: ${folder}`
}

/** Whether a folder is writable, or can be made. */
async function canBeWritten(folder: string): Promise<boolean> {
  try {
    await access(folder, constants.W_OK)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && dirname(folder) !== folder && (await canBeWritten(dirname(folder)))
  }
}
