#!/usr/bin/env node
// The command line. `serve` has an entry of its own, which needs nothing of the other commands.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** The oldest Node that the built program runs on. */
const oldestNode = 22
// `import.meta.dirname` came with Node 20.11.
const here = fileURLToPath(import.meta.url)
const root = resolve(here, '../..')
const [command, ...rest] = process.argv.slice(2)
const entry = join(root, 'out/main', command === 'serve' ? 'serve.js' : 'cli.js')

if (!existsSync(entry)) {
  console.error(`ringside: it is not built yet: ${entry} is missing.\n  Run "npm run build" in ${root}, or start it as "npm run ringside -- …", which builds what is stale.`)
  process.exitCode = 1
} else if (Number(process.versions.node.split('.')[0]) < oldestNode) {
  runOnOwnNode()
} else {
  // The entry reads its arguments from here.
  if (command === 'serve') process.argv.splice(2, process.argv.length, ...rest)
  await import(pathToFileURL(entry).href)
}

/** The project brings its own Node, as a package, for systems whose Node is older. */
function runOnOwnNode() {
  const own = join(root, 'node_modules/node/bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (!existsSync(own)) {
    console.error(`ringside: it needs Node ${oldestNode} or newer, and this is ${process.versions.node}.\n  Run "npm install" in ${root}, which brings one, or start it with a newer Node.`)
    process.exitCode = 1
    return
  }
  const child = spawn(own, [here, ...process.argv.slice(2)], { stdio: 'inherit' })
  // The terminal sends Ctrl+C to both; the child decides what becomes of it. A plain kill reaches only this one.
  process.on('SIGINT', () => undefined)
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1)
  })
}
