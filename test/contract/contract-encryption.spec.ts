import { expect, test } from 'vitest'
import { EncryptionState, EncryptionSupport } from '@shared/model'
import { fakeIds } from '../fakes/fake-data'
import { fakePassphrase } from '../fakes/fake-encryption'
import { overBothTransports } from './frames'
import { failure } from './transports'

const { stopped: id } = fakeIds

overBothTransports('passphrases', ({ client, host, ended }) => {
  test('a machine whose disks are encrypted says which it is, and goes on when it was unlocked', async () => {
    expect(await failure(client.machine.start({ id }))).toMatchObject({ code: 'KEY_REQUIRED', data: { machineId: id } })
    expect(await failure(client.encryption.unlock({ id, passphrase: 'no' }))).toMatchObject({ code: 'KEY_WRONG', data: { machineId: id } })
    expect(EncryptionState.parse(await client.encryption.unlock({ id, passphrase: fakePassphrase }))).toMatchObject({ unlocked: true, remembered: false, diskIds: ['disk0'] })
    expect((await client.machine.start({ id })).state).toBe('running')
  })

  test('what makes a job of it asks before there is one', async () => {
    for (const asked of [client.snapshot.take({ id, name: 'a' }), client.machine.clone({ id, name: 'b', kind: 'full' })]) expect(await failure(asked)).toMatchObject({ code: 'KEY_REQUIRED' })
    expect(host.jobs.list().filter(({ machineId, kind }) => machineId === id || kind === 'machine.clone')).toEqual([])
  })

  test('a clone is as its original, has a passphrase of its own, or is not encrypted', async () => {
    await client.encryption.unlock({ id, passphrase: fakePassphrase })
    expect(await failure(client.machine.clone({ id, name: 'short', kind: 'full', encryption: { passphrase: 'short' } }))).toMatchObject({ code: 'INVALID_INPUT' })
    for (const [name, encryption, encrypted] of [['kept', undefined, true], ['anew', { passphrase: 'seven green apples' }, true], ['plain', 'none', false]] as const) {
      const job = await ended(await client.machine.clone({ id, name, kind: 'full', encryption }))
      expect((await client.machine.get({ id: job.machineId ?? '' })).definition.disks, name).toMatchObject([{ encrypted }])
      expect(JSON.stringify(job)).not.toContain('apples')
    }
  })

  test('a key is remembered, forgotten, locked away and shown', async () => {
    expect(await failure(client.encryption.remember({ id }))).toMatchObject({ code: 'KEY_REQUIRED' })
    await client.encryption.unlock({ id, passphrase: fakePassphrase })
    expect(await client.encryption.remember({ id })).toMatchObject({ remembered: true })
    expect(await client.encryption.forget({ id })).toMatchObject({ remembered: false, unlocked: true })
    expect(await client.encryption.lock({ id })).toMatchObject({ unlocked: false })
    expect((await client.encryption.diskKey({ id, passphrase: fakePassphrase })).key).not.toBe('')
  })

  test('what there is to encrypt with is told before there is a machine, the same as for each', async () => {
    const support = EncryptionSupport.parse(await client.encryption.support())
    expect(support).toEqual({ keychain: { available: true, reason: null }, obstacle: null })
    expect(await client.encryption.state({ id })).toMatchObject(support)
  })

  test('a passphrase is changed by who knows it, and a bad one is refused by its schema', async () => {
    expect(await failure(client.encryption.setPassphrase({ id, passphrase: 'another one' }))).toMatchObject({ code: 'KEY_WRONG' })
    await expect(client.encryption.setPassphrase({ id, current: fakePassphrase, passphrase: 'short' })).rejects.toThrow()
    await client.encryption.setPassphrase({ id, current: fakePassphrase, passphrase: 'another one' })
    expect(await failure(client.encryption.unlock({ id, passphrase: fakePassphrase }))).toMatchObject({ code: 'KEY_WRONG' })
    expect(await client.encryption.state({ id })).toMatchObject({ hasKey: true })
  })
}, { encrypted: [id] })
