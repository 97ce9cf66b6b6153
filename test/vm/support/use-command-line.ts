import { afterAll, beforeAll, expect } from 'vitest'
import { buildCommandLine, ringside, type CommandLine, type Outcome } from './command-line'
import { processesNaming } from './processes'
import { temporaryLibrary, type TemporaryLibrary } from './temporary-folder'

export interface UsedCommandLine {
  readonly programs: CommandLine
  readonly library: TemporaryLibrary
  /** Runs one command to its end. */
  readonly run: (...args: string[]) => Promise<Outcome & { json: unknown }>
}

/** The command line, and one library for all tests of the file, of which nothing may run any more when they have ended. */
export function useCommandLine(): UsedCommandLine {
  let programs: CommandLine
  let library: TemporaryLibrary

  beforeAll(async () => {
    programs = await buildCommandLine()
    library = await temporaryLibrary()
  })

  afterAll(async () => {
    const left = await processesNaming(library.runtime)
    for (const { pid } of left) process.kill(pid, 'SIGKILL')
    await library[Symbol.asyncDispose]()
    await programs[Symbol.asyncDispose]()
    expect(left).toEqual([])
  })

  return {
    get programs() { return programs },
    get library() { return library },
    run: (...args) => ringside(programs, library, args),
  }
}
