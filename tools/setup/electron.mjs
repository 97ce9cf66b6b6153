// @ts-check
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { at, readJson, toolchainNode } from './project.mjs'
import { lastLines, run } from './run.mjs'
import { aptInstall, packageManager } from './system-packages.mjs'

/** How long the download of Electron's binary (about 120 MB) may take. Without a network it fails in ten seconds or less. */
const downloadLimitMs = 600_000

/**
 * The libraries that Electron's binary is linked with and that a slim Linux lacks. Where Debian renamed one (`…t64`), the new package
 * provides the old name.
 */
const electronLibraries = [
  'libgtk-3-0', 'libnss3', 'libnspr4', 'libasound2', 'libgbm1', 'libxss1', 'libatk-bridge2.0-0', 'libdrm2', 'libxkbcommon0', 'libcups2', 'libnotify4',
]

/**
 * Facts of the system that decide whether a window can open.
 * @typedef {object} DesktopFacts
 * @property {NodeJS.Platform} platform
 * @property {number} uid -1 where there is none
 * @property {string | undefined} display DISPLAY
 * @property {string | undefined} waylandDisplay WAYLAND_DISPLAY
 */

/** @returns {DesktopFacts} */
export const desktopFacts = () => ({
  platform: process.platform,
  uid: process.getuid?.() ?? -1,
  display: process.env['DISPLAY'],
  waylandDisplay: process.env['WAYLAND_DISPLAY'],
})

/**
 * @param {DesktopFacts} facts
 * @returns {string | null} why no window can open here, as the start of a sentence; null when one can
 */
export function whyNoWindow(facts) {
  if (facts.platform !== 'linux') return null
  if (!facts.display && !facts.waylandDisplay) return 'There is no display (DISPLAY and WAYLAND_DISPLAY are not set)'
  if (facts.uid === 0) return 'As root the window would run without its sandbox'
  return null
}

/** A display that does not answer and a sandbox that is refused end Electron within this time. */
const openingMs = 10_000
/** Ended by a person or by the shell's own decision: hang-up, Ctrl+C, `terminate`, and what src/main/shell.ts says when the host could not start. */
const deliberateCodes = [0, 3, 129, 130, 143]

/**
 * Whether Electron ended because it could not open a window at all: a DISPLAY that leads nowhere shows only when it is tried.
 * @param {number} code exit code
 * @param {number} elapsedMs since it was started
 */
export const neverOpened = (code, elapsedMs) => elapsedMs < openingMs && !deliberateCodes.includes(code)

/**
 * Where Electron's binary is, by the same rules as the `electron` package: `path.txt` is written last by its installer.
 * @param {string} packageFolder
 * @returns {string | null} null while it is not installed, or another version is
 */
export function installedElectron(packageFolder = at('node_modules/electron')) {
  try {
    const name = readFileSync(join(packageFolder, 'path.txt'), 'utf8').trim()
    const override = process.env['ELECTRON_OVERRIDE_DIST_PATH']
    const dist = override ?? join(packageFolder, 'dist')
    const wanted = /** @type {unknown} */ (readJson(join(packageFolder, 'package.json'))?.version)
    if (override === undefined && readFileSync(join(dist, 'version'), 'utf8').trim().replace(/^v/, '') !== wanted) return null
    const binary = join(dist, name)
    return existsSync(binary) ? binary : null
  } catch {
    return null
  }
}

/**
 * Makes sure that Electron can start: downloads its binary, brings the libraries it is linked with and its sandbox into order, where
 * that can be done without a question.
 * @param {(line: string) => void} say
 * @returns {Promise<{ binary: string } | { problem: string }>} the problem is the start of a sentence
 */
export async function ensureElectron(say) {
  const binary = installedElectron() ?? (await download(say))
  if (binary === null) return { problem: 'Electron could not be downloaded from github.com (ELECTRON_MIRROR names another place)' }
  const start = await startsUp(binary, say)
  if (start !== null) return { problem: start }
  const sandbox = await sandboxProblem(binary)
  return sandbox === null ? { binary } : { problem: sandbox }
}

async function download(/** @type {(line: string) => void} */ say) {
  say('Downloading Electron …')
  const behindProxy = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'].some((name) => process.env[name] !== undefined)
  const env = behindProxy ? { ...process.env, NODE_USE_ENV_PROXY: '1' } : process.env
  await run(toolchainNode(), [at('node_modules/electron/install.js')], { env, timeoutMs: downloadLimitMs })
  return installedElectron()
}

/**
 * `--version` is answered before any window, display or sandbox is touched, but after the libraries were loaded.
 * @param {string} binary
 * @param {(line: string) => void} say
 * @returns {Promise<string | null>}
 */
async function startsUp(binary, say) {
  const { ELECTRON_RUN_AS_NODE: _, ...env } = process.env
  const attempt = () => run(binary, ['--version'], { env, timeoutMs: 30_000 })
  let outcome = await attempt()
  if (outcome.code === 0) return null
  const library = /([\w.+-]+\.so[\w.]*): cannot open shared object file/.exec(outcome.output)?.[1]
  if (library !== undefined && packageManager() === 'apt') {
    const problem = await aptInstall(electronLibraries, (line) => { say(`Electron needs ${library}: ${line}`) })
    if (problem !== null) return `Electron needs ${library}, which is ${problem} (sudo apt-get install ${electronLibraries.join(' ')})`.replace(/\. \(/, ' (')
    outcome = await attempt()
    if (outcome.code === 0) return null
  }
  if (library !== undefined) return `Electron needs ${library}, which this system lacks`
  return `Electron does not start here (${lastLines(outcome.output, 1) || `exit code ${String(outcome.code)}`})`
}

/**
 * Chromium's sandbox needs unprivileged user namespaces or its helper owned by root with the set-user-id bit. Ubuntu 23.10 and later
 * refuse the former to programs without an AppArmor profile, which a binary in node_modules is.
 * @param {string} binary
 * @returns {Promise<string | null>}
 */
async function sandboxProblem(binary) {
  if (process.platform !== 'linux' || !namespacesRestricted()) return null
  const helper = join(binary, '../chrome-sandbox')
  const inOrder = () => { const { uid, mode } = statSync(helper); return uid === 0 && (mode & 0o4000) !== 0 }
  if (inOrder()) return null
  const script = `chown root:root '${helper}' && chmod 4755 '${helper}'`
  const { code } = await run('sudo', ['-n', 'sh', '-c', script], { timeoutMs: 10_000 })
  return code === 0 && inOrder() ? null : `This system lets Electron's sandbox work only after: sudo sh -c "${script}"`
}

function namespacesRestricted() {
  const value = (/** @type {string} */ path) => { try { return readFileSync(path, 'utf8').trim() } catch { return undefined } }
  return value('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1' || value('/proc/sys/kernel/unprivileged_userns_clone') === '0'
}
