import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The first of the packages that the system's package sources have, e.g. for one that each release names differently. */
export async function firstAvailablePackage(names: string[]): Promise<string> {
  for (const name of names) {
    const answer = await apt('apt-cache', ['show', '--no-all-versions', name]).catch(() => null)
    if (answer !== null && answer.trim() !== '') return name
  }
  throw new Error(
    `None of the packages ${names.join(', ')} is in the system's package sources: run "apt-get update", or add Debian's main archive.`,
  )
}

/** The package that a metapackage stands for: its first dependency whose name matches. */
export async function dependencyOf(metapackage: string, pattern: RegExp): Promise<string> {
  const answer = await apt('apt-cache', ['depends', '--important', metapackage])
  const name = [...answer.matchAll(/Depends: (\S+)/g)]
    .map((match) => match[1])
    .find((candidate) => candidate !== undefined && pattern.test(candidate))
  if (name === undefined)
    throw new Error(`The package ${metapackage} depends on nothing like ${String(pattern)}: apt-cache said ${answer.trim()}`)
  return name
}

/**
 * Downloads a package and unpacks it into `<cache>/<name>`, without installing it and without root. Quick when it is there already.
 * @returns the folder that holds the package's files
 */
export async function unpackedPackage(name: string, cache: string): Promise<string> {
  const folder = join(cache, name)
  if (await exists(folder)) return folder
  await mkdir(cache, { recursive: true })
  const work = await mkdtemp(join(cache, '.download-'))
  try {
    await download(name, work)
    const file = (await readdir(work)).find((entry) => entry.endsWith('.deb'))
    if (file === undefined) throw new Error(`apt-get downloaded no file for the package ${name}.`)
    await run('dpkg-deb', ['-x', join(work, file), join(work, 'unpacked')])
    await rename(join(work, 'unpacked'), folder).catch(async (error: unknown) => {
      // Another run was quicker: its folder is as good.
      if (!(await exists(folder))) throw error
    })
    return folder
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function download(name: string, folder: string): Promise<void> {
  // As root apt would drop to its own user, who can't write into this folder.
  const options = ['-o', 'APT::Sandbox::User=root', '-qq', 'download', name]
  try {
    await apt('apt-get', options, folder)
  } catch (error) {
    // Package lists that are older than the archive name files that are gone; only root can renew them.
    if (process.getuid?.() !== 0) throw error
    await apt('apt-get', ['-qq', 'update'])
    await apt('apt-get', options, folder)
  }
}

async function apt(program: string, argv: string[], folder?: string): Promise<string> {
  try {
    const { stdout } = await run(program, argv, { ...(folder === undefined ? {} : { cwd: folder }), env: { ...process.env, LC_ALL: 'C' } })
    return stdout
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new Error(`The guest tests take their guests from Debian packages and need apt, but ${program} is not on this system.`, {
        cause: error,
      })
    }
    const said = (error as { stderr?: string }).stderr?.trim() ?? ''
    throw new Error(`"${program} ${argv.join(' ')}" failed: ${said}. The guest tests need a reachable Debian mirror.`, { cause: error })
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
