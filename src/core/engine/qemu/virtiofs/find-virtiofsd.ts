import { access, constants, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'

const program = 'virtiofsd'
/** Distributions keep it out of PATH: it is no program for people. */
const usualFolders = ['/usr/libexec', '/usr/lib', '/usr/lib/qemu', '/usr/local/libexec', '/usr/local/lib/qemu', '/usr/lib/virtiofsd', '/run/current-system/sw/bin']

/** Every virtiofsd of this computer, in the order in which they are tried. `RINGSIDE_VIRTIOFSD` names one in place of all others. */
export async function findVirtiofsd(qemuPath: string, environment: NodeJS.ProcessEnv = process.env): Promise<string[]> {
  const asked = environment['RINGSIDE_VIRTIOFSD']
  const inPath = (environment['PATH'] ?? '').split(':').filter(isAbsolute)
  const places = asked !== undefined && asked !== '' ? [asked] : [...inPath, join(dirname(qemuPath), '../libexec'), ...usualFolders].map((folder) => join(folder, program))
  const found = await Promise.all([...new Set(places)].map(async (path) => ((await isProgram(path)) ? [path] : [])))
  return found.flat()
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
