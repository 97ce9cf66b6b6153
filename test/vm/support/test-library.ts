import { dirname } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { buildPrograms, type BuiltPrograms } from './build-worker'
import { processesNaming } from './processes'
import { temporaryLibrary, type TemporaryLibrary } from './temporary-folder'

export interface TestLibrary {
  readonly programs: BuiltPrograms
  readonly library: TemporaryLibrary
}

/** Programs for the whole file and a library for each of its tests, of which nothing may run any more when the test has ended. */
export function useLibrary(): TestLibrary {
  let programs: BuiltPrograms
  let library: TemporaryLibrary

  beforeAll(async () => {
    programs = await buildPrograms()
  })

  afterAll(() => programs[Symbol.asyncDispose]())

  beforeEach(async () => {
    library = await temporaryLibrary()
  })

  afterEach(async () => {
    const folder = dirname(library.data)
    try {
      // A worker that was only kept ready ends in a moment.
      await expect.poll(() => processesNaming(folder)).toEqual([])
    } finally {
      for (const { pid } of await processesNaming(folder)) process.kill(pid, 'SIGKILL')
      await library[Symbol.asyncDispose]()
    }
  })

  return {
    get programs() { return programs },
    get library() { return library },
  }
}
