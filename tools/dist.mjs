#!/usr/bin/env node
// @ts-check
// `npm run dist`: packages for this system into dist/. What is given goes on to electron-builder: `npm run dist -- --dir`, `-- --arm64`.
import { build } from './setup/build.mjs'
import { ensureNodeModules } from './setup/node-modules.mjs'
import { commandScript, toolchainNode } from './setup/project.mjs'
import { handOver } from './setup/run.mjs'

try {
  await ensureNodeModules(console.log)
  await build({ show: true })
  process.exitCode = await handOver(toolchainNode(), [commandScript('electron-builder'), '--publish', 'never', ...process.argv.slice(2)])
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
