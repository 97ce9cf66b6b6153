// @ts-check
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { lastLines, run } from './run.mjs'

/**
 * Something that the system has to have.
 * @typedef {object} Need
 * @property {string} name for people
 * @property {() => boolean} present
 * @property {string[]} debian packages that bring it
 * @property {Partial<Record<'brew' | 'winget' | 'dnf' | 'pacman' | 'zypper' | 'apk', string>>} elsewhere commands that bring it
 * @property {boolean} [optional] everything works without it, some of it slower; older systems have it within another package
 */

/**
 * @param {string} program
 * @param {string[]} [usualPlaces] folders that installers use without changing PATH
 * @returns {boolean} whether the program is in PATH or in one of the usual places
 */
export function hasProgram(program, usualPlaces = []) {
  const names = process.platform === 'win32' ? [`${program}.exe`, program] : [program]
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''), ...usualPlaces]
  return folders.some((folder) => names.some((name) => existsSync(join(folder, name))))
}

const qemuPlaces = ['/usr/local/bin', '/opt/homebrew/bin', '/opt/local/bin', join(process.env['ProgramFiles'] ?? 'C:\\Program Files', 'qemu')]

/** @type {Need} */
export const qemu = {
  name: 'QEMU',
  present: () => hasProgram('qemu-system-x86_64', qemuPlaces) && hasProgram('qemu-img', qemuPlaces),
  debian: ['qemu-system-x86', 'qemu-utils', 'ovmf'],
  elsewhere: {
    brew: 'brew install qemu',
    winget: 'winget install SoftwareFreedomConservancy.QEMU',
    dnf: 'sudo dnf install qemu-system-x86 qemu-img edk2-ovmf',
    pacman: 'sudo pacman -S qemu-base qemu-img edk2-ovmf',
    zypper: 'sudo zypper install qemu-x86 qemu-tools qemu-ovmf-x86_64',
    apk: 'sudo apk add qemu-system-x86_64 qemu-img ovmf',
  },
}

/** @type {Need} */
export const firmware = {
  name: 'UEFI firmware for QEMU',
  present: () => process.platform !== 'linux' || ['/usr/share/OVMF', '/usr/share/edk2', '/usr/share/edk2-ovmf', '/usr/share/qemu/firmware'].some((path) => existsSync(path)),
  debian: ['ovmf'],
  elsewhere: { dnf: 'sudo dnf install edk2-ovmf', pacman: 'sudo pacman -S edk2-ovmf', zypper: 'sudo zypper install qemu-ovmf-x86_64', apk: 'sudo apk add ovmf' },
}

/** @type {Need} */
export const tpm = {
  name: 'swtpm, which plays the TPM of machines',
  present: () => process.platform === 'win32' || hasProgram('swtpm', qemuPlaces),
  debian: ['swtpm'],
  elsewhere: { brew: 'brew install swtpm', dnf: 'sudo dnf install swtpm', pacman: 'sudo pacman -S swtpm', zypper: 'sudo zypper install swtpm', apk: 'sudo apk add swtpm' },
}

/** @type {Need} */
export const virtiofs = {
  name: 'virtiofsd, the fast way to shared folders',
  present: () => process.platform !== 'linux' || hasProgram('virtiofsd', ['/usr/libexec', '/usr/lib', '/usr/lib/qemu', '/usr/local/libexec', '/usr/lib/virtiofsd']),
  debian: ['virtiofsd'],
  elsewhere: { dnf: 'sudo dnf install virtiofsd', pacman: 'sudo pacman -S virtiofsd', zypper: 'sudo zypper install virtiofsd', apk: 'sudo apk add virtiofsd' },
  optional: true,
}

/** @returns {string | null} the program of a Chromium that this system has */
export function findChromium() {
  const given = process.env['RINGSIDE_CHROMIUM']
  if (given !== undefined) return given
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  const inPath = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'].flatMap((program) => folders.map((folder) => join(folder, program)))
  const elsewhere = ['/Applications/Google Chrome.app/Contents/MacOS/Google Chrome', join(process.env['ProgramFiles'] ?? 'C:\\Program Files', 'Google/Chrome/Application/chrome.exe')]
  return [...inPath, ...elsewhere].find((path) => existsSync(path)) ?? null
}

/** @type {Need} */
export const chromium = {
  name: 'Chromium',
  present: () => findChromium() !== null,
  debian: ['chromium'],
  elsewhere: {
    brew: 'brew install --cask google-chrome', winget: 'winget install Google.Chrome', dnf: 'sudo dnf install chromium',
    pacman: 'sudo pacman -S chromium', zypper: 'sudo zypper install chromium', apk: 'sudo apk add chromium',
  },
}

/** @returns {keyof Need['elsewhere'] | 'apt' | null} the package manager of this system */
export function packageManager() {
  if (process.platform === 'darwin') return 'brew'
  if (process.platform === 'win32') return 'winget'
  if (hasProgram('apt-get', ['/usr/bin'])) return 'apt'
  for (const manager of /** @type {const} */ (['dnf', 'pacman', 'zypper', 'apk'])) if (hasProgram(manager, ['/usr/bin', '/sbin'])) return manager
  return null
}

/**
 * Brings what is missing, where that can be done without a question: on Debian-like systems, as root or by `sudo -n`.
 * Everywhere else it says the exact command.
 * @param {Need[]} needs
 * @param {(line: string) => void} say
 * @returns {Promise<Need[]>} what is still missing and not optional
 */
export async function ensureSystemPackages(needs, say) {
  const missing = await ensurePackages(needs.filter((need) => need.optional !== true), say)
  // By themselves: a package that this system does not have keeps none of the others away, and one of those may have brought it.
  for (const need of needs.filter(({ optional }) => optional === true)) await ensurePackages([need], say)
  return missing
}

/**
 * @param {Need[]} needs
 * @param {(line: string) => void} say
 */
async function ensurePackages(needs, say) {
  const missing = needs.filter((need) => !need.present())
  if (missing.length === 0) return []
  const names = missing.map((need) => need.name).join(', ')
  const manager = packageManager()
  if (manager !== 'apt') {
    const commands = manager === null ? [] : missing.flatMap((need) => need.elsewhere[manager] ?? [])
    say(`${names}: not found. ${commands.length > 0 ? `To install: ${commands.join(' && ')}` : 'Install it with the package manager of this system.'}`)
    return missing
  }
  const packages = [...new Set(missing.flatMap((need) => need.debian))]
  const problem = await aptInstall(packages, (line) => { say(`${names}: ${line}`) })
  if (problem !== null) say(`${names}: ${problem} To install: sudo apt-get install --no-install-recommends ${packages.join(' ')}`)
  return missing.filter((need) => !need.present())
}

/**
 * Installs Debian packages without a question.
 * @param {string[]} packages
 * @param {(line: string) => void} say
 * @returns {Promise<string | null>} why it did not work, a sentence; null when it did
 */
export async function aptInstall(packages, say) {
  const asRoot = process.getuid?.() === 0
  if (!asRoot && (await run('sudo', ['-n', 'true'], { timeoutMs: 10_000 })).code !== 0) return 'not found, and installing asks for a password.'
  say(`installing ${packages.join(', ')} …`)
  const install = ['install', '-y', '--no-install-recommends', ...packages]
  if (!hasPackageLists()) await apt(asRoot, ['update'])
  let outcome = await apt(asRoot, install)
  if (outcome.code !== 0) {
    // Lists that are older than the mirror name files that are no longer there.
    const update = await apt(asRoot, ['update'])
    outcome = update.code === 0 ? await apt(asRoot, install) : update
  }
  if (outcome.code === 0) return null
  const errors = outcome.output.split('\n').filter((line) => line.startsWith('E:'))
  return `apt-get failed: ${errors.length > 0 ? errors.join(' ') : lastLines(outcome.output, 1)}.`
}

function hasPackageLists() {
  try {
    return readdirSync('/var/lib/apt/lists').some((name) => name.includes('_Packages'))
  } catch {
    return false
  }
}

/**
 * One apt-get call that waits for another one's lock, up to five minutes: `DPkg::Lock::Timeout` covers the installation, but `update`
 * gives up at once.
 * @param {boolean} asRoot
 * @param {string[]} args
 */
async function apt(asRoot, args) {
  const words = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-o', 'DPkg::Lock::Timeout=300', ...args]
  const [command = '', ...rest] = asRoot ? words : ['sudo', '-n', ...words]
  const until = Date.now() + 300_000
  for (;;) {
    const outcome = await run(command, rest)
    const locked = outcome.code !== 0 && /Could not get lock|Unable to lock/.test(outcome.output)
    if (!locked || Date.now() > until) return outcome
    await delay(2000)
  }
}
