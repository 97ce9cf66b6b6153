// @ts-check
import { existsSync, lstatSync } from 'node:fs'
import { access, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { readJson } from './setup/project.mjs'
import { lastLines, run } from './setup/run.mjs'

/** The release whose QEMU is wanted beside the system's own. */
const release = 'trixie'
const packages = ['qemu-system-x86', 'qemu-utils']
/** Makes programs find the libraries of their own release; comes out of the same release. */
const toolPackages = ['patchelf']
const programs = ['qemu-system-x86_64', 'qemu-img']
/** Raise it when the steps below change, so that an older cache is made anew. */
const recipe = 2
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'

const cacheFolder = () => process.env['RINGSIDE_QEMU10_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ringside', 'qemu10')

/** The folder of QEMU 10's programs where they are set up; null where they aren't. */
export function readyQemu10() {
  const root = join(cacheFolder(), 'root')
  const folder = join(cacheFolder(), 'bin')
  const marker = join(cacheFolder(), 'ready.json')
  const known = existsSync(marker) ? readJson(marker) : null
  // Paths are written into the programs, so a cache that was moved is of no use.
  return known?.recipe === recipe && known.root === root && programs.every((name) => existsSync(join(folder, name))) ? folder : null
}

/**
 * The folder of QEMU 10's programs, out of Debian 13's packages. They are downloaded with the system's apt, checked against
 * Debian's keys, and unpacked into a cache; nothing is installed and root is not needed. The programs start by themselves, without
 * chroot or wrapper, so paths, process ids and names are as those of an installed QEMU: put the folder first in PATH, or name it in
 * RINGSIDE_QEMU.
 * @param {(line: string) => void} say
 * @returns {Promise<string>} throws an `Error` that says what is missing
 */
export async function ensureQemu10(say) {
  const ready = readyQemu10()
  if (ready !== null) return ready
  const cache = cacheFolder()
  const root = join(cache, 'root')
  const folder = join(cache, 'bin')
  const marker = join(cache, 'ready.json')
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('QEMU 10 is set up from Debian packages for x86-64: this needs Linux on x86-64.')
  say(`Setting up QEMU 10 from Debian 13 in ${cache} (50 MB, once) …`)
  await rm(marker, { force: true })
  await rm(root, { recursive: true, force: true })
  await unpack(await download(join(cache, 'apt')), root)
  await makeRelocatable(root)
  await linkPrograms(root, folder)
  const { output } = await must(join(folder, 'qemu-system-x86_64'), ['--version'])
  await writeFile(marker, JSON.stringify({ recipe, root, version: output.split('\n')[0] }, null, 2))
  await rm(join(cache, 'apt'), { recursive: true, force: true })
  say(output.split('\n')[0] ?? '')
  return folder
}

/**
 * Downloads the packages and all that they depend on, as if for an empty system, with apt's state in a folder of its own. The
 * system's apt configuration (proxies, credentials) stays in force.
 * @param {string} folder
 * @returns {Promise<string>} the folder of the .deb files
 */
async function download(folder) {
  await access(keyring).catch(() => {
    throw new Error(`Debian's keys are not at ${keyring}: install the package debian-archive-keyring.`)
  })
  const archives = join(folder, 'archives')
  await rm(folder, { recursive: true, force: true })
  await mkdir(join(folder, 'lists/partial'), { recursive: true })
  await mkdir(join(archives, 'partial'), { recursive: true })
  await writeFile(join(folder, 'status'), '')
  await writeFile(join(folder, 'sources.list'), `deb [signed-by=${keyring}] ${await mirror()} ${release} main\n`)
  const settings = {
    'Dir::State': folder, 'Dir::State::lists': join(folder, 'lists'), 'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': folder, 'Dir::Cache::archives': archives, 'Dir::Etc::sourcelist': join(folder, 'sources.list'), 'Dir::Etc::sourceparts': '/dev/null',
    'APT::Architecture': 'amd64', 'APT::Architectures': 'amd64', 'APT::Sandbox::User': '', 'Acquire::Languages': 'none',
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  await must('apt-get', [...options, '-q', 'update'])
  await must('apt-get', [...options, '-q', '-y', '--download-only', '--no-install-recommends', 'install', ...packages, ...toolPackages])
  return archives
}

/** The system's own mirror where it is a Debian, else Debian's. */
async function mirror() {
  const { code, output } = await run('apt-get', ['indextargets', '--format', '$(LABEL) $(REPO_URI)', 'Identifier: Packages'])
  if (code !== 0) throw new Error(`QEMU 10 comes from Debian's packages, but apt-get does not work here: ${lastLines(output, 3)}`)
  return /^Debian (\S+)$/m.exec(output)?.[1] ?? 'http://deb.debian.org/debian/'
}

/**
 * @param {string} archives
 * @param {string} root
 */
async function unpack(archives, root) {
  const files = (await readdir(archives)).filter((name) => name.endsWith('.deb'))
  const partial = `${root}.partial`
  await rm(partial, { recursive: true, force: true })
  for (const file of files) await must('dpkg-deb', ['-x', join(archives, file), partial])
  await rename(partial, root)
}

/**
 * Points the programs at the loader and libraries beside them. QEMU itself finds its firmware and modules below a `qemu-bundle` next
 * to its program when there is one (its get_relocated_path), so that leads to the root.
 * @param {string} root
 */
async function makeRelocatable(root) {
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu')
  const loader = join(libraries, 'ld-linux-x86-64.so.2')
  for (const name of programs) {
    // DT_RPATH and not DT_RUNPATH: it also serves the libraries' own dependencies.
    const change = ['--set-interpreter', loader, '--force-rpath', '--set-rpath', libraries, join(root, 'usr/bin', name)]
    await must(loader, ['--library-path', libraries, join(root, 'usr/bin/patchelf'), ...change])
  }
  const bundle = join(root, 'usr/bin/qemu-bundle')
  if (!lstatSync(bundle, { throwIfNoEntry: false })) await symlink('../..', bundle)
}

/**
 * A folder with these programs alone, fit to stand first in PATH: the others that came along are not made to run here.
 * @param {string} root
 * @param {string} folder
 */
async function linkPrograms(root, folder) {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder)
  for (const name of programs) await symlink(join(root, 'usr/bin', name), join(folder, name))
}

/**
 * @param {string} command
 * @param {string[]} args
 */
async function must(command, args) {
  const outcome = await run(command, args)
  if (outcome.code !== 0) throw new Error(`Setting up QEMU 10 failed at "${command} ${args.filter((arg) => !arg.includes('::')).join(' ')}":\n${lastLines(outcome.output, 12)}`)
  return outcome
}
