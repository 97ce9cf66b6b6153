import { expect, test } from 'vitest'
import { OpenLibrary } from './support/open-library'
import { processesNaming } from './support/processes'
import { HostProcess, addCounters } from './support/real-host'
import { SerialSession } from './support/serial-session'
import { useLibrary } from './support/test-library'

const at = useLibrary()

function kill(pid: number | null | undefined): void {
  if (typeof pid !== 'number' || pid < 2) throw new Error('There is no process to kill.')
  process.kill(pid, 'SIGKILL')
}

/**
 * Every number from 0 on, once and in order: the guest never stopped, and nothing of its port was doubled or lost, but for the one line that
 * QEMU may have been sending when its reader was killed.
 */
function expectWhole(transcript: string, atLeast: number): void {
  const numbers = [...transcript.matchAll(/n=(\d{6})\r\n/gu)].map((match) => Number(match[1]))
  const words = JSON.stringify(transcript.slice(transcript.indexOf('n=')))
  expect(numbers, words).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
  const last = numbers.at(-1) ?? 0
  expect(last + 1 - numbers.length, words).toBeLessThanOrEqual(1)
  expect(last, words).toBeGreaterThanOrEqual(atLeast - 1)
}

test('kill -9 of a worker: its machine goes on with a new one, the other machine is not touched', async () => {
  const [id = '', other = ''] = await addCounters(at.library, ['struck', 'other'])
  await using host = await HostProcess.start(at.programs, at.library)
  const before = await host.do('start', id)
  const otherBefore = await host.do('start', other)
  using session = new SerialSession(await host.openConsole(id, 'serial'))
  using otherSession = new SerialSession(await host.openConsole(other, 'serial'))
  await session.waitFor('n=000005')
  kill(before.run?.workerPid)
  const after = await host.until(id, ({ run }) => typeof run?.workerPid === 'number' && run.workerPid !== before.run?.workerPid)
  expect(after).toMatchObject({ state: 'running', crash: null, run: { qemuPid: before.run?.qemuPid, startedAt: before.run?.startedAt } })
  using again = new SerialSession(await host.openConsole(id, 'serial'))
  await again.waitFor('n=000015')
  expectWhole(again.transcript, 15)
  await otherSession.waitFor('n=000015')
  expectWhole(otherSession.transcript, 15)
  expect((await host.get(other)).run).toEqual(otherBefore.run)
  expect((await host.do('pause', id)).state).toBe('paused')
})

test('kill -9 of a worker just before its host lets go of the machine: no other worker of that host stands in the next one’s way', async () => {
  const [id = ''] = await addCounters(at.library, ['struck'])
  {
    await using first = await OpenLibrary.open(at.programs, at.library)
    const { run } = await first.calls.machines.start(id)
    const died = new Promise<void>((resolve) => {
      first.services.machines.onChange((change) => { if (change.type === 'changed' && change.machine.run?.workerPid === null) resolve() })
    })
    kill(run?.workerPid)
    await died
    await first.close()
  }
  await using second = await OpenLibrary.open(at.programs, at.library)
  using session = new SerialSession(await second.openConsole(id, 'serial'))
  await session.waitFor('n=000005')
  const workers = (await processesNaming(at.library.runtime)).filter(({ commandLine }) => commandLine.includes(at.programs.worker))
  expect(workers.map(({ pid }) => pid)).toEqual([(await second.calls.machines.get(id)).run?.workerPid])
})

test('kill -9 of QEMU: the machine is shown as crashed with its reason, the other one is not touched', async () => {
  const [id = '', other = ''] = await addCounters(at.library, ['struck', 'other'])
  await using host = await HostProcess.start(at.programs, at.library)
  const { run } = await host.do('start', id)
  const otherBefore = await host.do('start', other)
  kill(run?.qemuPid)
  const crashed = await host.until(id, ({ state }) => state === 'crashed')
  expect(crashed.crash).toMatchObject({
    reason: expect.stringContaining('SIGKILL') as string,
    process: { signal: 'SIGKILL', exitCode: null },
  })
  expect(await host.get(other)).toMatchObject({ state: 'running', run: otherBefore.run })
  expect(await host.do('start', id)).toMatchObject({ state: 'running', crash: null })
})

test('kill -9 of the host: machines run on, its workers end, and the next host takes the machines over', async () => {
  const [running = '', paused = '', other = ''] = await addCounters(at.library, ['running', 'paused', 'killed meanwhile'])
  const first = await HostProcess.start(at.programs, at.library)
  const before = await first.do('start', running)
  await first.do('start', paused)
  await first.do('pause', paused)
  const killed = await first.do('start', other)
  using session = new SerialSession(await first.openConsole(running, 'serial'))
  await session.waitFor('n=000003')
  await first.kill()
  kill(killed.run?.qemuPid)
  await using second = await HostProcess.start(at.programs, at.library)
  const after = await second.get(running)
  expect(after).toMatchObject({ state: 'running', crash: null, run: { qemuPid: before.run?.qemuPid, startedAt: before.run?.startedAt } })
  expect(after.run?.workerPid).not.toBe(before.run?.workerPid)
  expect((await second.get(paused)).state).toBe('paused')
  expect(await second.get(other)).toMatchObject({
    state: 'crashed',
    crash: { reason: expect.stringMatching(/killed or crashed/u) as string },
  })
  using again = new SerialSession(await second.openConsole(running, 'serial'))
  await again.waitFor('n=000015')
  expectWhole(again.transcript, 15)
  expect((await processesNaming(at.library.runtime)).filter(({ pid }) => pid === before.run?.workerPid)).toEqual([])
})

test('kill -9 of host, worker and QEMU at once: the crash is known to the next host, and to the one after it', async () => {
  const [id = ''] = await addCounters(at.library, ['struck'])
  const first = await HostProcess.start(at.programs, at.library)
  const { run } = await first.do('start', id)
  kill(first.pid)
  kill(run?.workerPid)
  kill(run?.qemuPid)
  await first.kill()
  for (let host = 2; host <= 3; host += 1) {
    await using next = await HostProcess.start(at.programs, at.library)
    expect(await next.get(id)).toMatchObject({ state: 'crashed', crash: { reason: expect.stringMatching(/killed or crashed/u) as string } })
  }
})

test('a guest that shuts down while no host is there is stopped, and not crashed', async () => {
  const [id = ''] = await addCounters(at.library, ['leaving'])
  const first = await HostProcess.start(at.programs, at.library)
  const { run } = await first.do('start', id)
  await first.kill()
  // As an administrator would: QEMU ends in order on this signal.
  process.kill(run?.qemuPid ?? 0, 'SIGTERM')
  await expect.poll(async () => (await processesNaming(at.library.runtime)).length, { timeout: 20_000 }).toBe(0)
  await using second = await HostProcess.start(at.programs, at.library)
  expect(await second.get(id)).toMatchObject({ state: 'stopped', crash: null })
})

test('kill -9 of the host while a machine is being saved: the guest goes on, and no half of a saved state is left', async () => {
  const [id = ''] = await addCounters(at.library, ['saving'])
  const first = await HostProcess.start(at.programs, at.library)
  await first.do('start', id)
  using session = new SerialSession(await first.openConsole(id, 'serial'))
  await session.waitFor('n=000003')
  const saving = first.do('save', id).catch(() => undefined)
  await first.until(id, ({ state }) => state === 'saving')
  await first.kill()
  await saving
  await using second = await HostProcess.start(at.programs, at.library)
  const found = await second.get(id)
  // The save may have won the race; then the state is whole.
  expect(['running', 'paused', 'saved']).toContain(found.state)
  if (found.state === 'saved') await second.do('start', id)
  if (found.state === 'paused') await second.do('resume', id)
  using again = new SerialSession(await second.openConsole(id, 'serial'))
  await again.waitFor('n=000012')
  expectWhole(again.transcript, 12)
})
