#!/usr/bin/env node
// @ts-check
// The page from Vite with hot reload; host and workers rebuilt, and the host restarted, whenever their sources change.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createListener } from 'node:net'
import { createInterface } from 'node:readline'
import { resolveConfig } from 'electron-vite'
import { build, createServer } from 'vite'
import { at } from './setup/project.mjs'

const hostPort = await freePort()
process.env['RINGSIDE_HOST_URL'] = `http://127.0.0.1:${hostPort}`

const pages = await createServer({ configFile: at('vite.web.config.ts'), server: { strictPort: false } })
await pages.listen()
const pageUrl = pages.resolvedUrls?.local[0] ?? 'http://127.0.0.1:5174/'

/** @type {import('node:child_process').ChildProcess | null} */
let host = null

async function restartHost() {
  if (host !== null && host.exitCode === null && host.signalCode === null) {
    host.kill('SIGTERM')
    await once(host, 'exit')
  }
  host = spawn(process.execPath, [at('out/main/serve.js'), '--port', String(hostPort), '--no-open', '--json'], { stdio: ['ignore', 'pipe', 'inherit'] })
  createInterface({ input: /** @type {import('node:stream').Readable} */ (host.stdout) }).on('line', (line) => {
    const token = /#token=[\w-]+/u.exec(line)?.[0]
    console.log(token === undefined ? line : `\n  ${pageUrl}${token}\n`)
  })
}

const { config } = await resolveConfig({}, 'build', 'development')
if (!config?.main) throw new Error('electron.vite.config.ts has no main part.')
const watcher = await build({ ...config.main, build: { ...config.main.build, watch: {} } })
if (!('on' in watcher)) throw new Error('Vite did not watch.')
// One after the other: a second change may come while the host ends.
let restarting = Promise.resolve()
watcher.on('event', (event) => {
  if (event.code === 'ERROR') console.error(event.error)
  if (event.code === 'END') restarting = restarting.then(restartHost)
})

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.once(signal, () => {
    host?.kill('SIGTERM')
    void Promise.all([watcher.close(), pages.close(), host === null ? null : once(host, 'exit')]).then(() => process.exit(0))
  })
}

/** @returns {Promise<number>} a port of loopback that nobody listens on now */
async function freePort() {
  const listener = createListener().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  listener.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}
