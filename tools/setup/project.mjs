// @ts-check
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Absolute path of the project's folder. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

/**
 * @param {string[]} parts path below the project's folder
 * @returns {string}
 */
export const at = (...parts) => join(root, ...parts)

/**
 * @param {string} path
 * @returns {any} what the JSON file holds; undefined when it is missing or damaged
 */
export function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

/** The toolchain's own Node, from the npm package `node`. It is there only after an install. */
export const ownNodePath = at('node_modules/node/bin', process.platform === 'win32' ? 'node.exe' : 'node')

/** The Node that runs the toolchain and the server: the project's own; this process's own where that one has no binary. */
export function toolchainNode() {
  return existsSync(ownNodePath) ? ownNodePath : process.execPath
}

/**
 * Path of the script behind a package's command, to be run by `toolchainNode()`: no shell and no `.cmd` shim between.
 * @param {string} packageName
 * @param {string} [command] where the package has more than one
 * @returns {string}
 */
export function commandScript(packageName, command = packageName) {
  const folder = at('node_modules', packageName)
  const bin = readJson(join(folder, 'package.json'))?.bin
  const script = typeof bin === 'string' ? bin : bin?.[command]
  if (typeof script !== 'string') throw new Error(`The package ${packageName} in node_modules has no command ${command}. Run "npm ci" and try again.`)
  return join(folder, script)
}
