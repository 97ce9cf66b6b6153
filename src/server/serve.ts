import { join } from 'node:path'
import { openHost } from '@core/app/host'
import { version } from '@core/app/version'
import { createNodeWorkerLauncher } from '@core/machine/node-launcher'
import { serve } from './serve-command'
import { untilSignal } from './until-signal'

process.exitCode = await serve(process.argv.slice(2), {
  openHost: ({ dataFolder, log }) => openHost({ shell: 'server', log, launcher: createNodeWorkerLauncher(join(import.meta.dirname, 'machine-worker.js')), ...(dataFolder === undefined ? {} : { dataFolder }) }),
  webRoot: join(import.meta.dirname, '../renderer'),
  version,
  stdout: process.stdout,
  stderr: process.stderr,
  untilEnd: untilSignal(),
})
// Whatever still holds the event loop belongs to machines that go on without us.
process.exit()
