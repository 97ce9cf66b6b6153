import { readFile, rename, stat } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { firstFrameMs } from '../bench/rfb-first-frame'
import { HostProcess, addCounters } from './support/real-host'
import { SerialSession } from './support/serial-session'
import { useLibrary } from './support/test-library'

const at = useLibrary()

/** The number that the guest prints next. */
async function nextNumber(session: SerialSession): Promise<number> {
  return Number(/n=(\d{6})/u.exec(await session.waitFor(/n=\d{6}\r\n/u))?.[1])
}

test('start, pause, resume, reset, power off', async () => {
  const [id = ''] = await addCounters(at.library, ['counter'])
  await using host = await HostProcess.start(at.programs, at.library)
  const started = await host.do('start', id)
  expect(started).toMatchObject({ state: 'running', crash: null, run: { accelerator: 'tcg' } })
  using session = new SerialSession(await host.openConsole(id, 'serial'))
  const first = await nextNumber(session)
  expect(await nextNumber(session)).toBe(first + 1)
  expect((await host.do('pause', id)).state).toBe('paused')
  expect((await host.do('resume', id)).state).toBe('running')
  expect(await nextNumber(session)).toBeGreaterThan(first + 1)
  await host.do('reset', id)
  await session.waitFor('n=000000')
  expect((await host.do('powerOff', id)).state).toBe('stopped')
})

test('a guest that switches itself off is stopped, and not crashed', async () => {
  const [id = ''] = await addCounters(at.library, ['counter'])
  await using host = await HostProcess.start(at.programs, at.library)
  await host.do('start', id)
  using session = new SerialSession(await host.openConsole(id, 'serial'))
  await nextNumber(session)
  session.send('q')
  expect(await host.until(id, ({ state }) => state === 'stopped')).toMatchObject({ crash: null, run: null })
})

test('a guest that ignores the power button can be asked again, and be powered off', async () => {
  const [id = ''] = await addCounters(at.library, ['counter'])
  await using host = await HostProcess.start(at.programs, at.library)
  await host.do('start', id)
  expect((await host.do('shutDown', id)).state).toBe('stopping')
  expect((await host.do('shutDown', id)).state).toBe('stopping')
  expect((await host.do('powerOff', id)).state).toBe('stopped')
})

test('several viewers share a serial port: each has the past without a gap or a repetition, and each may type', async () => {
  const [id = ''] = await addCounters(at.library, ['counter'])
  await using host = await HostProcess.start(at.programs, at.library)
  await host.do('start', id)
  using first = new SerialSession(await host.openConsole(id, 'serial'))
  await first.waitFor('n=000005')
  using second = new SerialSession(await host.openConsole(id, 'serial'))
  await second.waitFor('n=000008')
  second.send('x')
  await Promise.all([first.waitFor('<x>'), second.waitFor('<x>')])
  first.send('f')
  // The flood, and the first line after it.
  const whole = `a${'ponmlkjihgfedcba'.repeat(4096).slice(0, -1)}n=`
  await Promise.all([first.waitFor(whole), second.waitFor(whole)])
  using late = new SerialSession(await host.openConsole(id, 'serial'))
  await late.waitFor(whole)
  for (const session of [first, second, late]) expectWhole(session.transcript)
  await host.do('powerOff', id)
})

/** Every number from 0 on, once and in order. */
function expectWhole(transcript: string): void {
  const numbers = [...transcript.matchAll(/n=(\d{6})\r\n/gu)].map((match) => Number(match[1]))
  expect(numbers).toEqual(numbers.map((_, index) => index))
  expect(numbers.length).toBeGreaterThan(5)
}

test('the screen is served to a viewer, and a viewer that leaves disturbs nothing', async () => {
  const [id = ''] = await addCounters(at.library, ['counter'])
  await using host = await HostProcess.start(at.programs, at.library)
  await host.do('start', id)
  const viewer = await host.openConsole(id, 'graphics')
  expect(await firstFrameMs(viewer)).toBeGreaterThan(0)
  viewer.destroy()
  const again = await host.openConsole(id, 'graphics')
  await firstFrameMs(again)
  again.destroy()
  expect((await host.get(id)).state).toBe('running')
})

test('a saved machine goes on where it was, with another host too', async () => {
  const [id = ''] = await addCounters(at.library, ['counter'])
  let last: number
  {
    await using host = await HostProcess.start(at.programs, at.library)
    await host.do('start', id)
    using session = new SerialSession(await host.openConsole(id, 'serial'))
    await session.waitFor('n=000010')
    const saved = await host.do('save', id)
    expect(saved).toMatchObject({ state: 'saved', run: null, saved: { qemuVersion: expect.any(String) as string } })
    expect(saved.saved?.sizeBytes).toBeGreaterThan(1_000_000)
    last = lastNumber(session.transcript)
  }
  await using host = await HostProcess.start(at.programs, at.library)
  expect((await host.get(id)).state).toBe('saved')
  expect(await host.do('start', id)).toMatchObject({ state: 'running', saved: null })
  // The past of the port comes from the log, and what the guest prints goes on in it.
  using session = new SerialSession(await host.openConsole(id, 'serial'))
  await session.waitFor(`n=${String(last + 3).padStart(6, '0')}`)
  expectWhole(session.transcript)
  await expect(stat(`${(await host.get(id)).folder}/saved`)).rejects.toThrow()
  await host.do('powerOff', id)
})

function lastNumber(transcript: string): number {
  return Number([...transcript.matchAll(/n=(\d{6})/gu)].at(-1)?.[1])
}

test('quitting by saving leaves every machine saved', async () => {
  const ids = await addCounters(at.library, ['one', 'two'])
  {
    await using host = await HostProcess.start(at.programs, at.library)
    await Promise.all(ids.map((id) => host.do('start', id)))
    await host.close('save')
  }
  await using host = await HostProcess.start(at.programs, at.library)
  expect((await host.list()).map(({ state }) => state)).toEqual(['saved', 'saved'])
})

test('a start that QEMU refuses says why, and leaves nothing running', async () => {
  const [id = ''] = await addCounters(at.library, ['counter'])
  await using host = await HostProcess.start(at.programs, at.library)
  const { folder } = await host.get(id)
  await rename(`${folder}/disks/disk0.raw`, `${folder}/disks/elsewhere.raw`)
  await expect(host.do('start', id)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', data: { path: `${folder}/disks/disk0.raw` } })
  expect((await host.get(id)).state).toBe('stopped')
  await expect.poll(() => readFile(`${folder}/logs/machine.log`, 'utf8')).toContain('"event":"start.failed"')
})
