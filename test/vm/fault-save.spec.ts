import { copyFile, readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { HostProcess, addCounters } from './support/real-host'
import { SerialSession } from './support/serial-session'
import { canMount, SmallLibrary } from './support/small-library'
import { useLibrary } from './support/test-library'

const at = useLibrary()

test.runIf(canMount)('a disk that is full while saving: the guest goes on, nothing of the save is left, and with room it works', async () => {
  await using library = await SmallLibrary.make(16)
  const [id = ''] = await addCounters(library, ['counter'])
  await using host = await HostProcess.start(at.programs, library)
  await host.do('start', id)
  using session = new SerialSession(await host.openConsole(id, 'serial'))
  await session.waitFor('n=000003')
  await library.fill(256 * 1024)
  await expect(host.do('save', id)).rejects.toMatchObject({ code: 'DISK_FULL', data: { hint: expect.any(String) as string } })
  const after = await host.get(id)
  expect(after).toMatchObject({ state: 'running', saved: null, crash: null })
  await expect(stat(join(after.folder, 'saved'))).rejects.toThrow()
  await session.waitFor('n=000010')
  await library.empty()
  expect((await host.do('save', id)).state).toBe('saved')
})

test('saved memory that was cut short is refused with its reason and kept, and whole it is loaded', async () => {
  const [id = ''] = await addCounters(at.library, ['counter'])
  await using host = await HostProcess.start(at.programs, at.library)
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
})
