#!/usr/bin/env node
// @ts-check
// `npm run build`: builds everything into out/, whether or not it is stale.
import { build } from './setup/build.mjs'
import { ensureNodeModules } from './setup/node-modules.mjs'

try {
  await ensureNodeModules(console.log)
  await build({ show: true })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
