// @ts-check
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { at, commandScript, root, toolchainNode } from './project.mjs'
import { lastLines, run } from './run.mjs'

const stampPath = at('out/.build-stamp')
const inputs = ['src', 'resources', 'build.config.ts', 'electron.vite.config.ts', 'tsconfig.base.json', 'tsconfig.node.json', 'tsconfig.web.json', 'package.json', 'package-lock.json']
/** Written by the build itself. */
const generated = ['src/renderer/auto-imports.d.ts', 'src/renderer/components.d.ts']
const outputs = ['out/main/index.js', 'out/main/machine-worker.js', 'out/main/serve.js', 'out/main/cli.js', 'out/preload/index.cjs', 'out/renderer/index.html', ...generated]

/** Digest of all that the build depends on. Contents, not times: a fresh clone and a branch switch change every time. */
export function inputDigest() {
  const hash = createHash('sha256')
  for (const path of inputs.flatMap((input) => filesBelow(at(input))).sort()) {
    const name = relative(root, path).replaceAll('\\', '/')
    if (generated.includes(name) || /\.(spec|fixture)\.ts$/.test(name)) continue
    hash.update(`${name}\0`).update(readFileSync(path)).update('\0')
  }
  return hash.digest('hex')
}

/** @param {string} path @returns {string[]} */
function filesBelow(path) {
  if (!existsSync(path)) return []
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? filesBelow(join(path, entry.name)) : [join(path, entry.name)]))
  } catch {
    return [path]
  }
}

export function isBuilt() {
  return outputs.every((output) => existsSync(at(output))) && existsSync(stampPath) && readFileSync(stampPath, 'utf8') === inputDigest()
}

/** What lies in `out/` is no longer what the stamp says. */
export function forgetBuild() {
  rmSync(stampPath, { force: true })
}

/**
 * Builds main, workers, server, CLI, preload and renderer into `out/`.
 * @returns {Promise<void>} throws with the builder's last words
 */
export async function build({ show = false } = {}) {
  const digest = inputDigest()
  forgetBuild()
  const { code, output } = await run(toolchainNode(), [commandScript('electron-vite'), 'build'], { show })
  if (code !== 0) throw new Error(show ? 'The build failed.' : `The build failed:\n${lastLines(output, 40)}`)
  writeFileSync(stampPath, digest)
}

/**
 * Builds when what is in `out/` is older than the sources.
 * @param {(line: string) => void} say
 */
export async function ensureBuild(say) {
  if (isBuilt()) return
  say('Building …')
  await build()
}
