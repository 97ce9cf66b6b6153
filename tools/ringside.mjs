#!/usr/bin/env node
// @ts-check
// `npm run ringside -- …`: the command line, built first when it is stale. Standard output belongs to the command.
import { ensureBuild } from './setup/build.mjs'
import { ensureNodeModules } from './setup/node-modules.mjs'
import { at, toolchainNode } from './setup/project.mjs'
import { handOver } from './setup/run.mjs'

try {
  await ensureNodeModules(console.error)
  await ensureBuild(console.error)
  // Relative paths mean the folder that npm was called in.
  const cwd = process.env['INIT_CWD'] ?? process.cwd()
  process.exitCode = await handOver(toolchainNode(), [at('bin/ringside.mjs'), ...process.argv.slice(2)], { cwd })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
