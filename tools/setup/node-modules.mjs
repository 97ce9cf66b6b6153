// @ts-check
import { existsSync, lstatSync } from 'node:fs'
import { at, ownNodePath, readJson, root } from './project.mjs'
import { lastLines, run } from './run.mjs'

/**
 * @typedef {{ version?: string, resolved?: string, integrity?: string, optional?: boolean, link?: boolean, os?: string[], cpu?: string[], libc?: string[] }} LockedPackage
 */

/**
 * Why what is installed differs from the lock file, in words; null when it does not. npm writes what it installed to
 * `node_modules/.package-lock.json`; packages for other platforms are left out there.
 * @param {Record<string, LockedPackage> | undefined} locked `packages` of package-lock.json
 * @param {Record<string, LockedPackage> | undefined} installed `packages` of node_modules/.package-lock.json
 * @returns {string | null}
 */
export function differenceFromLock(locked, installed) {
  if (!locked) return 'package-lock.json is missing or damaged'
  if (!installed) return 'they are not there yet'
  for (const [path, want] of Object.entries(locked)) {
    if (path === '' || want.link) continue
    const have = installed[path]
    const forSomePlatforms = want.optional === true || want.os !== undefined || want.cpu !== undefined || want.libc !== undefined
    if (!have) {
      if (forSomePlatforms) continue
      return `${nameOf(path)} is missing`
    }
    if (have.version !== want.version || have.integrity !== want.integrity) return `${nameOf(path)} has another version`
  }
  for (const path of Object.keys(installed)) if (!locked[path]) return `${nameOf(path)} is left over`
  return null
}

const nameOf = (/** @type {string} */ path) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)

/**
 * npm as a script for the Node that npm itself runs on: the toolchain's Node may be about to be replaced, and `npm.cmd` can't be
 * spawned without a shell.
 * @returns {{ command: string, args: string[] }}
 */
function npm() {
  const script = process.env['npm_execpath']
  const node = process.env['npm_node_execpath'] ?? process.execPath
  if (script !== undefined && /\.c?js$/.test(script)) return { command: node, args: [script] }
  return process.platform === 'win32' ? { command: 'cmd.exe', args: ['/d', '/s', '/c', 'npm'] } : { command: 'npm', args: [] }
}

/**
 * Installs the node modules of the lock file where what is there differs from it.
 * @param {(line: string) => void} say
 * @returns {Promise<void>} throws an `Error` with npm's last words when they can't be had
 */
export async function ensureNodeModules(say) {
  // A link: they are another work tree's, which sees to them.
  if (lstatSync(at('node_modules'), { throwIfNoEntry: false })?.isSymbolicLink() === true) return
  const difference = differenceFromLock(readJson(at('package-lock.json'))?.packages, readJson(at('node_modules/.package-lock.json'))?.packages)
  if (difference !== null) {
    say(`Installing the node modules (${difference}); this takes a minute …`)
    await npmDo([installCommand(), '--no-audit', '--no-fund', '--loglevel=error'])
  }
  await ensureOwnNode(say)
}

/** `npm ci` empties node_modules first, which Windows forbids while this very process runs from there. */
function installCommand() {
  const runsFromHere = process.platform === 'win32' && process.execPath.toLowerCase().startsWith(root.toLowerCase())
  return runsFromHere ? 'install' : 'ci'
}

/** The binary of the `node` package comes by its install script, which `ignore-scripts` and npm's script approval may have held back. */
async function ensureOwnNode(/** @type {(line: string) => void} */ say) {
  const wanted = `v${String(readJson(at('node_modules/node/package.json'))?.version)}`
  if (existsSync(ownNodePath) && (await run(ownNodePath, ['--version'], { timeoutMs: 30_000 })).output.trim() === wanted) return
  say(`Fetching Node ${wanted} for the toolchain …`)
  try {
    await npmDo(['rebuild', 'node', '--ignore-scripts=false', '--loglevel=error'])
  } catch (error) {
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
    if (major < 22 || (major === 22 && minor < 12)) throw error
    say(`Node ${wanted} could not be fetched; the toolchain runs on Node ${process.versions.node} instead.`)
  }
}

/** @param {string[]} args */
async function npmDo(args) {
  const { command, args: first } = npm()
  const { code, output } = await run(command, [...first, ...args])
  if (code !== 0) {
    throw new Error(`"npm ${args[0] ?? ''}" failed in ${root}:\n${lastLines(output, 15)}\nIs the npm registry reachable? Run "npm ci" there to see all of it.`)
  }
}
