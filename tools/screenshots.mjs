#!/usr/bin/env node
// @ts-check
// `npm run screenshots`: the pictures of the README, taken of the program itself.
import { ensureBuild } from './setup/build.mjs'
import { ensureNodeModules } from './setup/node-modules.mjs'
import { at, toolchainNode } from './setup/project.mjs'
import { handOver } from './setup/run.mjs'
import { chromium, ensureSystemPackages, findChromium, firmware, qemu, tpm } from './setup/system-packages.mjs'

try {
  await ensureNodeModules(console.log)
  await ensureSystemPackages([qemu, firmware, tpm, chromium], console.log)
  await ensureBuild(console.log)
  process.exitCode = await handOver(toolchainNode(), [at('node_modules/vitest/vitest.mjs'), 'run', '--project', 'screenshots', ...process.argv.slice(2)], {
    env: { ...process.env, RINGSIDE_CHROMIUM: findChromium() ?? undefined },
  })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
