import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { EngineGuest } from '@core/engine/engine'
import { RingsideError } from '@shared/errors'
import { GuestCommand, type GuestCommandResult } from '@shared/model'
import type { FakeMachine } from './testing/fake-engine'
import { HostFixture } from './testing/host-fixture'

let fixture: HostFixture
beforeEach(async () => { fixture = await HostFixture.make() })
afterEach(() => fixture[Symbol.asyncDispose]())

async function running(guest: Partial<EngineGuest>): Promise<{ id: string; machine: FakeMachine }> {
  const id = await fixture.addMachine('one')
  await fixture.supervisor.start(id)
  const machine = fixture.engine.machines.get(id)
  if (machine === undefined) throw new Error('The machine runs.')
  machine.guest = { ...machine.guest, ...guest }
  return { id, machine }
}

const result: GuestCommandResult = { exitCode: 3, signal: null, timedOut: false, stdoutBase64: 'YQ==', stderrBase64: '', stdoutTruncated: false, stderrTruncated: false }
const copy = { hostPath: '/a', guestPath: '/b', overwrite: false }

/** Work that begins, is stopped, and never says so: its guest answers no more. */
const deaf = (begun: () => void) => (): Promise<never> => {
  begun()
  return new Promise(() => undefined)
}

test('a running guest is asked and told through its worker', async () => {
  const passwords: string[][] = []
  const { id } = await running({
    run: (command) => Promise.resolve({ ...result, stdoutBase64: Buffer.from(command.program).toString('base64') }),
    setPassword: (...given) => { passwords.push(given); return Promise.resolve() },
    copyIn: (_order, onProgress) => { onProgress(0.5); return Promise.resolve(['Noted.']) },
  })
  expect(await fixture.supervisor.inGuest(id, 'guestRun', GuestCommand.parse({ program: 'ls' }))).toMatchObject({ exitCode: 3, stdoutBase64: 'bHM=' })
  await fixture.supervisor.inGuest(id, 'guestSetPassword', { user: 'ada', password: 'hunter2' })
  expect(passwords).toEqual([['ada', 'hunter2']])
  const fractions: (number | null)[] = []
  expect(await fixture.supervisor.inGuest(id, 'guestCopyIn', copy, { onProgress: (fraction) => fractions.push(fraction) })).toEqual({ notes: ['Noted.'] })
  expect(fractions).toEqual([0.5])
  await expect(fixture.supervisor.inGuest(id, 'guestInfo', {})).rejects.toMatchObject({ code: 'CAPABILITY_MISSING' })
})

test('one that does not run, or is paused, is not', async () => {
  const { id } = await running({})
  await fixture.supervisor.pause(id)
  await expect(fixture.supervisor.inGuest(id, 'guestInfo', {})).rejects.toMatchObject({ code: 'ILLEGAL_STATE', data: { state: 'paused' } })
  await fixture.supervisor.powerOff(id)
  await expect(fixture.supervisor.inGuest(id, 'guestInfo', {})).rejects.toMatchObject({ code: 'ILLEGAL_STATE', data: { state: 'stopped' } })
})

test('a copy stops when it is cancelled', async () => {
  const begun = Promise.withResolvers<void>()
  const { id } = await running({
    copyOut: (_order, _onProgress, signal) => new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => { reject(new RingsideError('CANCELLED', 'The copy was cancelled.')) })
      begun.resolve()
    }),
  })
  const abort = new AbortController()
  const copying = fixture.supervisor.inGuest(id, 'guestCopyOut', { guestPath: '/b', partialPath: '/a' }, { signal: abort.signal })
  await begun.promise
  abort.abort()
  await expect(copying).rejects.toMatchObject({ code: 'CANCELLED' })
})

test('the plug can be pulled whatever the guest is about', async () => {
  const begun = vi.fn()
  const { id, machine } = await running({ copyIn: deaf(begun) })
  const copying = fixture.supervisor.inGuest(id, 'guestCopyIn', copy).catch(() => undefined)
  await vi.waitFor(() => { expect(begun).toHaveBeenCalled() })
  expect(await fixture.supervisor.powerOff(id)).toMatchObject({ state: 'stopped' })
  expect(machine.calls).toContain('powerOff')
  await copying
})
