import { expect, test } from 'vitest'
import { GuestInfo } from '@shared/model'
import { fakeIds } from '../fakes/fake-data'
import { fakeGuestInfo } from '../fakes/fake-guests'
import { overBothTransports } from './frames'
import { failure } from './transports'

const { running, busy, stopped } = fakeIds

overBothTransports('guests', ({ client, ended, host, connection }) => {

  test('what a guest tells arrives as its schema has it, with the reason for each part that is missing', async () => {
    const info = await client.guest.info({ id: running })
    expect(GuestInfo.parse(info)).toEqual(fakeGuestInfo)
  })

  test('a machine that does not run is refused with its state, one whose agent is silent with what to do', async () => {
    expect(await failure(client.guest.info({ id: stopped }))).toMatchObject({ code: 'ILLEGAL_STATE', data: { state: 'stopped' } })
    expect(await failure(client.guest.info({ id: busy }))).toMatchObject({ code: 'CAPABILITY_MISSING', data: { hint: expect.stringContaining('apt install qemu-guest-agent') as string } })
    expect(await failure(client.guest.copyIn({ id: stopped, hostPath: '/a', guestPath: '/b' }))).toMatchObject({ code: 'ILLEGAL_STATE' })
    expect(host.jobs.list().filter(({ kind }) => kind === 'guest.copyIn')).toEqual([])
  })

  test('a program’s streams and exit code come back as bytes', async () => {
    const bytes = Buffer.from([0, 255, 10, 27])
    expect(await client.guest.run({ id: running, program: 'cat', inputBase64: bytes.toString('base64') })).toMatchObject({ exitCode: 0, stdoutBase64: bytes.toString('base64'), timedOut: false })
    expect(await client.guest.run({ id: running, program: 'false' })).toMatchObject({ exitCode: 1 })
    expect(await failure(client.guest.run({ id: running, program: 'none' }))).toMatchObject({ code: 'GUEST_FAILED' })
  })

  test('a caller who goes away is not waited for', async () => {
    const abort = new AbortController()
    const call = client.guest.run({ id: running, program: 'sleep', timeoutMs: 60_000 }, { signal: abort.signal })
    abort.abort()
    await expect(call).rejects.toThrow()
  })

  test.each([
    [{ program: '' }, 'program'], [{ program: 'x\0y' }, 'program'], [{ program: 'x', environment: ['no'] }, 'environment.0'], [{ program: 'x', timeoutMs: 1 }, 'timeoutMs'],
    [{ program: 'x', inputBase64: '!' }, 'inputBase64'], [{ program: 'x', arguments: ['y'.repeat(40_000)] }, 'arguments.0'],
    [{ program: 'x', arguments: Array.from({ length: 200 }, () => 'y'.repeat(1000)) }, ''],
  ])('a command that is none: %#', async (command, path) => {
    const { code, data } = await failure(client.guest.run({ id: running, ...command }))
    expect(code).toBe('INVALID_INPUT')
    expect(data.issues?.map((issue) => issue.path)).toEqual([path])
  })

  test('a password that is refused is repeated to nobody', async () => {
    expect(await client.guest.setPassword({ id: running, user: 'ada', password: 'correct horse' })).toEqual({})
    for (const password of ['', 'hunter2\nhunter2', 'hunter2'.repeat(100)]) {
      const error = await failure(client.guest.setPassword({ id: running, user: 'ada', password }))
      expect(error.data.issues).toEqual([{ path: 'password', message: expect.any(String) as string, severity: 'error' }])
      expect(JSON.stringify(error.data)).not.toContain('hunter2')
    }
    expect(await failure(client.guest.setPassword({ id: running, user: 'a:b', password: 'x' }))).toMatchObject({ data: { issues: [{ path: 'user' }] } })
    expect(connection.defects).toEqual([])
  })

  test('copies are jobs that say where the file is, and replace nothing unasked', async () => {
    const inward = await client.guest.copyIn({ id: running, hostPath: '/home/ada/site.tar', guestPath: '/tmp/' })
    expect(inward).toMatchObject({ kind: 'guest.copyIn', title: 'Copying “site.tar” into “web-01”', machineId: running, cancellable: true })
    expect(await ended(inward)).toMatchObject({ state: 'succeeded', notes: ['Copied.'] })
    expect(await ended(await client.guest.copyIn({ id: running, hostPath: '/a', guestPath: '/etc/motd' }))).toMatchObject({ state: 'failed', error: { code: 'FILE_EXISTS' } })
    expect(await ended(await client.guest.copyIn({ id: running, hostPath: '/a', guestPath: '/etc/motd', overwrite: true }))).toMatchObject({ state: 'succeeded' })
    const outward = await client.guest.copyOut({ id: running, guestPath: '/etc/motd', hostPath: '/tmp/motd' })
    expect(outward).toMatchObject({ kind: 'guest.copyOut', title: 'Copying “motd” out of “web-01”' })
    expect(await ended(outward)).toMatchObject({ state: 'succeeded' })
    expect(await ended(await client.guest.copyOut({ id: running, guestPath: '/none', hostPath: '/tmp/x' }))).toMatchObject({ error: { code: 'FILE_NOT_FOUND' } })
  })
})
