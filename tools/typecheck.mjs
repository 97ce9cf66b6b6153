#!/usr/bin/env node
// @ts-check
// `npm run typecheck`: the renderer's types of auto-imported names and components are written by the build, so it comes first.
import { ensureBuild } from './setup/build.mjs'
import { ensureNodeModules } from './setup/node-modules.mjs'
import { commandScript, toolchainNode } from './setup/project.mjs'
import { handOver } from './setup/run.mjs'

try {
  await ensureNodeModules(console.log)
  await ensureBuild(console.log)
  process.exitCode = await handOver(toolchainNode(), [commandScript('vue-tsc'), '--build'])
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
