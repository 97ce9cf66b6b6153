import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildEntries } from './build-entries'

/** Programs that tests start as processes of their own. */
export interface BuiltPrograms extends AsyncDisposable {
  /** `src/worker/machine.ts`. */
  worker: string
  /** A host that is told what to do over its IPC channel; see `host-process.ts`. */
  host: string
}

export async function buildPrograms(): Promise<BuiltPrograms> {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-built-'))
  await buildEntries(folder, { worker: 'src/worker/machine.ts', host: 'test/vm/support/host-process.ts' })
  return {
    worker: join(folder, 'worker.js'),
    host: join(folder, 'host.js'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}
