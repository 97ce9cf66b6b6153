#!/usr/bin/env node
// Serves a host in memory for work on the user interface:  node tools/fake-host.mjs [--port 8470] [--ui http://localhost:5174] [--encrypted]
// With --ui the printed link leads to a development server that proxies /rpc, /session, /upload and /console to this port.
// --encrypted gives two machines encrypted disks, which “correct horse” opens.
// SIGUSR2, or Enter, prints a new link.
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createServer } from 'vite'

const { values } = parseArgs({ options: { port: { type: 'string', default: '8470' }, ui: { type: 'string' }, encrypted: { type: 'boolean', default: false } } })
const root = resolve(import.meta.dirname, '..')
const at = (path) => join(root, path)

// No bundle on disk: vite runs the TypeScript with the project's aliases.
const vite = await createServer({
  root,
  configFile: false,
  logLevel: 'error',
  appType: 'custom',
  optimizeDeps: { noDiscovery: true },
  server: { middlewareMode: true, ws: false, hmr: false, watch: null },
  resolve: { alias: { '@shared': at('src/shared'), '@core': at('src/core'), '@server': at('src/server') } },
})
const { serveFakeHost } = await vite.ssrLoadModule('/test/fakes/serve-fake-host.ts')
const built = at('out/renderer')
const fake = await serveFakeHost({ port: Number(values.port), webRoot: existsSync(built) ? built : null, uploadFolder: join(tmpdir(), 'ringside-fake-media'), encrypted: values.encrypted })
const page = values.ui ? new URL(values.ui).href : fake.url
console.log(`${page}#token=${fake.token}`)
const another = () => console.log(`${page}#token=${fake.newToken()}`)
process.on('SIGUSR2', another)
if (process.stdin.isTTY) process.stdin.on('data', another)
const stop = () => void fake.close().then(() => vite.close()).then(() => process.exit(0))
process.on('SIGTERM', stop).on('SIGINT', stop)
