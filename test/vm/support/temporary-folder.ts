import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { dataPaths } from '@core/library'

/** A folder that goes away with the test: `await using folder = await TemporaryFolder.make()`. */
export class TemporaryFolder implements AsyncDisposable {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** @param prefix shows in the folder's name, for who finds one left behind. Names are short: sockets in it must stay under 104 bytes. */
  static async make(prefix = 'ringside-test-'): Promise<TemporaryFolder> {
    return new TemporaryFolder(await mkdtemp(join(tmpdir(), prefix)))
  }

  in(...names: string[]): string {
    return join(this.path, ...names)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** The folders that a Ringside host of a test uses, and the environment that makes a host process use them. */
export interface TemporaryLibrary extends AsyncDisposable {
  data: string
  runtime: string
  environment: { RINGSIDE_DATA: string; RINGSIDE_RUNTIME: string }
}

/** Puts what QEMU answered to the run's one probe where a host with this data folder looks for it. */
export async function keepProbe(dataFolder: string): Promise<void> {
  const known = inject('probeFolder')
  if (known !== undefined) await cp(known, join(dataPaths(dataFolder).cache, 'probe'), { recursive: true })
}

export async function temporaryLibrary(): Promise<TemporaryLibrary> {
  const folder = await TemporaryFolder.make('ringside-lib-')
  const data = folder.in('data')
  await keepProbe(data)
  const runtime = folder.in('run')
  return {
    data,
    runtime,
    environment: { RINGSIDE_DATA: data, RINGSIDE_RUNTIME: runtime },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}
