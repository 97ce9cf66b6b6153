import { afterAll, beforeAll } from 'vitest'
import { temporaryLibrary, type TemporaryLibrary } from '../vm/support/temporary-folder'
import { BenchHost } from './bench-host'

export interface Bench {
  readonly library: TemporaryLibrary
  readonly host: BenchHost
}

/**
 * A library and its host for all tests of a file.
 * @param fill puts machines into the library before the host begins
 */
export function useBench(fill?: (library: TemporaryLibrary) => Promise<void>): Bench {
  const ends = new AsyncDisposableStack()
  let library: TemporaryLibrary
  let host: BenchHost
  beforeAll(async () => {
    library = ends.use(await temporaryLibrary())
    await fill?.(library)
    host = ends.use(await BenchHost.start(library))
  })
  afterAll(() => ends.disposeAsync())
  return { get library() { return library }, get host() { return host } }
}
