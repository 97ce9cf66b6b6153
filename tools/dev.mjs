#!/usr/bin/env node
// @ts-check
// `npm run dev`: the application with hot reload: in its window where Electron is, else in the browser.
import { forgetBuild } from './setup/build.mjs'
import { desktopFacts, ensureElectron, whyNoWindow } from './setup/electron.mjs'
import { ensureNodeModules } from './setup/node-modules.mjs'
import { at, commandScript, toolchainNode } from './setup/project.mjs'
import { handOver } from './setup/run.mjs'

try {
  await ensureNodeModules(console.log)
  const noWindow = process.argv.includes('--serve') ? 'The browser was asked for' : whyNoWindow(desktopFacts())
  const electron = noWindow === null ? await ensureElectron(console.log) : { problem: noWindow }
  // What development leaves in out/ is no finished build.
  forgetBuild()
  if ('problem' in electron) {
    console.log(`${electron.problem}: developing in the browser.`)
    process.exitCode = await handOver(toolchainNode(), [at('tools/dev-browser.mjs')])
  } else {
    process.exitCode = await handOver(toolchainNode(), [commandScript('electron-vite'), 'dev', '--watch'])
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
