import { execFile } from 'node:child_process'
import { copyFile, readdir, rm, stat, statfs, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildPrograms, type BuiltPrograms } from './support/build-worker'
import { processesNaming } from './support/processes'
import { HostProcess, addCounters } from './support/real-host'
import { SerialSession } from './support/serial-session'
import { TemporaryFolder, temporaryLibrary, type TemporaryLibrary } from './support/temporary-folder'

const run = promisify(execFile)
let programs: BuiltPrograms

beforeAll(async () => {
  programs = await buildPrograms()
})

afterAll(() => programs[Symbol.asyncDispose]())

/** A library on a file system of its own that is soon full. */
async function smallLibrary(): Promise<TemporaryLibrary> {
  const folder = await TemporaryFolder.make('ringside-small-')
  const data = folder.in('data')
  const runtime = folder.in('run')
  await run('mkdir', ['-m', '700', data, runtime])
  await run('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=700', 'ringside-test', data])
  return {
    data,
    runtime,
    environment: { RINGSIDE_DATA: data, RINGSIDE_RUNTIME: runtime },
    async [Symbol.asyncDispose]() {
      await run('umount', [data])
      await folder[Symbol.asyncDispose]()
    },
  }
}

test.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)('a disk that is full while saving: the guest goes on, nothing of the save is left, and with room it works', async () => {
  await using library = await smallLibrary()
  const [id = ''] = await addCounters(library, ['counter'])
  {
    await using host = await HostProcess.start(programs, library)
    await host.do('start', id)
    using session = new SerialSession(await host.openConsole(id, 'serial'))
    await session.waitFor('n=000003')
    const { bavail, bsize } = await statfs(library.data)
    const filler = join(library.data, 'filler')
    await writeFile(filler, Buffer.alloc(bavail * bsize - 256 * 1024))
    await expect(host.do('save', id)).rejects.toMatchObject({ code: 'DISK_FULL', data: { hint: expect.any(String) as string } })
    const after = await host.get(id)
    expect(after).toMatchObject({ state: 'running', saved: null, crash: null })
    await expect(stat(join(after.folder, 'saved'))).rejects.toThrow()
    await session.waitFor('n=000010')
    await rm(filler)
    expect((await host.do('save', id)).state).toBe('saved')
  }
  expect(await processesNaming(library.runtime)).toEqual([])
})

test('saved memory that was cut short is refused with its reason and kept, and whole it is loaded', async () => {
  await using library = await temporaryLibrary()
  const [id = ''] = await addCounters(library, ['counter'])
  {
    await using host = await HostProcess.start(programs, library)
    await host.do('start', id)
    using session = new SerialSession(await host.openConsole(id, 'serial'))
    await session.waitFor('n=000003')
    const { folder } = await host.do('save', id)
    const ram = join(folder, 'saved', 'ram.state')
    const copy = join(folder, 'copy')
    await copyFile(ram, copy)
    await truncate(ram, 500_000)
    await expect(host.do('start', id)).rejects.toMatchObject({ code: expect.stringMatching(/QEMU_FAILED|IMAGE_DAMAGED|FILE_UNREADABLE/u) as string })
    expect(await host.get(id)).toMatchObject({ state: 'saved', run: null })
    expect((await readdir(join(folder, 'saved'))).toSorted()).toEqual(['ram.state', 'saved.json'])
    await copyFile(copy, ram)
    expect(await host.do('start', id)).toMatchObject({ state: 'running', saved: null })
    await host.do('powerOff', id)
  }
  expect(await processesNaming(library.runtime)).toEqual([])
})
