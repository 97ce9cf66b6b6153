import { readdir, readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findHost } from '@core/library'
import { connectLocally, openLocalSocket, opened, type ContractClient } from '@server/local-client'
import { buildCommandLine, ringside, serveLibrary, type CommandLine, type Ringside } from './support/command-line'
import { processesNaming } from './support/processes'
import { temporaryLibrary, type TemporaryLibrary } from './support/temporary-folder'

/* A host that has run a machine many times holds no more than one that has run it twice. RINGSIDE_RUNS: how many times. */

const runs = Number(process.env['RINGSIDE_RUNS'] ?? 10)
/** The first runs load code and fill caches. */
const warmRuns = 2

let programs: CommandLine
let library: TemporaryLibrary
let server: Ringside

beforeAll(async () => {
  programs = await buildCommandLine()
  library = await temporaryLibrary()
  ;({ server } = await serveLibrary(programs, library))
})
afterAll(async () => {
  server.child.kill('SIGTERM')
  await server.ended
  const left = await processesNaming(library.runtime)
  for (const { pid } of left) process.kill(pid, 'SIGKILL')
  await library[Symbol.asyncDispose]()
  await programs[Symbol.asyncDispose]()
  expect(left).toEqual([])
})

/** What the host holds now. */
async function holdings(): Promise<{ descriptors: number; processes: number; runtimeEntries: string[]; residentMiB: number }> {
  const pid = String(server.child.pid)
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return {
    descriptors: (await readdir(`/proc/${pid}/fd`)).length,
    processes: (await processesNaming(library.runtime)).length,
    runtimeEntries: (await readdir(library.runtime)).toSorted(),
    residentMiB: Math.round(Number(/VmRSS:\s+(\d+)/u.exec(status)?.[1]) / 1024),
  }
}

/** Starts the machine, looks at its screen and its serial port, and powers it off. */
async function runOnce(client: ContractClient, address: string, id: string): Promise<void> {
  await client.machine.start({ id })
  for (const channel of [{ type: 'graphics' as const }, { type: 'serial' as const, port: 0 }]) {
    const { ticket } = await client.console.open({ id, channel })
    const socket = openLocalSocket(address, `/console?ticket=${ticket}`)
    const first = new Promise((resolve) => socket.once('message', resolve))
    await opened(socket, address)
    await first
    socket.terminate()
  }
  await client.machine.powerOff({ id })
}

test.skipIf(process.platform !== 'linux')('starting and stopping a machine again and again leaves nothing behind', async () => {
  const made = await ringside(programs, library, ['sample', 'again', '--json'])
  const { id } = made.json as { id: string }
  const address = (await findHost(library.data, library.runtime))?.address ?? ''
  const connection = await connectLocally(address)
  const { client } = connection
  try {
    for (let run = 0; run < warmRuns; run += 1) await runOnce(client, address, id)
    // A worker is kept ready for the next start; it comes a moment after the last one was used up.
    const settled = async (): ReturnType<typeof holdings> => {
      await expect.poll(async () => (await holdings()).processes, { timeout: 20_000 }).toBe(2)
      return holdings()
    }
    const before = await settled()
    for (let run = 0; run < runs; run += 1) await runOnce(client, address, id)
    const after = await settled()
    if (process.env['RINGSIDE_RUNS']) console.log(before, after)
    expect(after).toMatchObject({ processes: before.processes, runtimeEntries: before.runtimeEntries })
    // Sockets that are about to close may still be counted.
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 2)
    expect(after.residentMiB).toBeLessThan(before.residentMiB + 32)
    // Node warns here of listeners that pile up.
    expect(server.stderr).toBe('')
  } finally {
    connection.close()
  }
})
