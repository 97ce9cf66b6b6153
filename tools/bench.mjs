#!/usr/bin/env node
// @ts-check
// `npm run bench`: figures as ratios against plain QEMU in one run. Nothing fails for being slow.
import { readyQemu10 } from './qemu10-setup.mjs'
import { ensureBuild } from './setup/build.mjs'
import { ensureNodeModules } from './setup/node-modules.mjs'
import { at, toolchainNode } from './setup/project.mjs'
import { handOver } from './setup/run.mjs'
import { ensureSystemPackages, firmware, qemu } from './setup/system-packages.mjs'

try {
  await ensureNodeModules(console.log)
  await ensureSystemPackages([qemu, firmware], console.log)
  await ensureBuild(console.log)
  // Some figures are of both, where `npm run test:qemu10` has set QEMU 10 up.
  const env = { ...process.env, RINGSIDE_BENCH_QEMU10: readyQemu10() ?? undefined }
  process.exitCode = await handOver(toolchainNode(), [at('node_modules/vitest/vitest.mjs'), 'run', '--project', 'bench', ...process.argv.slice(2)], { env })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
