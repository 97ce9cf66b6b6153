#!/usr/bin/env node
// @ts-check
// `npm start`: brings what is missing, builds what is stale, and opens the window; where none can open, serves it to the browser.
import { at, root, toolchainNode } from './setup/project.mjs'
import { ensureBuild } from './setup/build.mjs'
import { desktopFacts, ensureElectron, neverOpened, whyNoWindow } from './setup/electron.mjs'
import { ensureNodeModules } from './setup/node-modules.mjs'
import { startOptions, usage } from './setup/options.mjs'
import { handOver } from './setup/run.mjs'
import { ensureSystemPackages, firmware, qemu, tpm, virtiofs } from './setup/system-packages.mjs'

const say = (/** @type {string} */ line) => { console.log(line) }

async function start() {
  const options = startOptions(process.argv.slice(2))
  if (options.help) {
    say(usage)
    return 0
  }
  await ensureNodeModules(say)
  // Without QEMU the window opens all the same and says what to do.
  await ensureSystemPackages([qemu, firmware, tpm, virtiofs], say)
  await ensureBuild(say)
  const serve = () => handOver(toolchainNode(), [at('out/main/serve.js'), ...options.serverArguments])
  if (options.serve) return serve()
  const noWindow = whyNoWindow(desktopFacts())
  const electron = noWindow === null ? await ensureElectron(say) : { problem: noWindow }
  if ('problem' in electron) {
    say(`${electron.problem}: serving the window to your browser instead.`)
    return serve()
  }
  const { ELECTRON_RUN_AS_NODE: _, ...env } = process.env
  const began = performance.now()
  const code = await handOver(electron.binary, [root], { env })
  if (!neverOpened(code, performance.now() - began)) return code
  say(`Electron ended at once (exit code ${code}; what it said is above): serving the window to your browser instead.`)
  return serve()
}

try {
  process.exitCode = await start()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
