import { PassThrough } from 'node:stream'
import { writeFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ContractClient } from '@server/local-client'
import { RingsideError } from '@shared/errors'
import type { Terminal } from './terminal'
import { unlockingClient } from './unlocking-client'

const machineId = '6f9619ff-8b86-4011-b42d-00c04fc964ff'

/** A host whose machine starts once it was unlocked with “open sesame”. */
function lockedHost(): { client: ContractClient; tried: string[] } {
  const tried: string[] = []
  const needsKey = (): Promise<string> => (tried.includes('open sesame') ? Promise.resolve('runs') : Promise.reject(new RingsideError('KEY_REQUIRED', 'Locked.', { machineId })))
  const client = {
    machine: { start: needsKey, get: () => Promise.resolve({ definition: { name: 'vault' } }) },
    encryption: {
      setPassphrase: needsKey,
      unlock: ({ passphrase }: { passphrase: string }) => {
        tried.push(passphrase)
        return passphrase === 'open sesame' ? Promise.resolve() : Promise.reject(new RingsideError('KEY_WRONG', 'Wrong.', { machineId }))
      },
    },
  }
  return { client: client as unknown as ContractClient, tried }
}

function terminal(tty: boolean): { stdin: PassThrough; stderr: PassThrough; streams: Terminal } {
  const [stdin, stderr] = [Object.assign(new PassThrough(), { isTTY: tty }), new PassThrough()]
  return { stdin, stderr, streams: { stdin, stdout: new PassThrough(), stderr } as unknown as Terminal }
}
const signal = new AbortController().signal

test('a person is asked, may mistype, and the call is made again', async () => {
  const { client, tried } = lockedHost()
  const { streams, stdin, stderr } = terminal(true)
  const shown: string[] = []
  stderr.on('data', (bytes: Buffer) => {
    shown.push(bytes.toString())
    if (bytes.toString().startsWith('Passphrase of')) stdin.write(tried.length === 0 ? 'open\r' : 'open sesame\r')
  })
  const wrapped = unlockingClient(client, { terminal: streams, signal, json: false }, undefined)
  expect(await wrapped.machine.start({ id: machineId })).toBe('runs')
  expect(tried).toEqual(['open', 'open sesame'])
  expect(shown.join('')).not.toContain('sesame')
})

test('a file is read once; what it holds is tried, and nobody is asked', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-passphrase-'))
  try {
    const file = join(folder, 'passphrase')
    const { client, tried } = lockedHost()
    const wrapped = unlockingClient(client, { terminal: terminal(false).streams, signal, json: true }, file)
    await expect(wrapped.machine.start({ id: machineId })).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
    await writeFile(file, 'not it\n')
    await expect(wrapped.machine.start({ id: machineId })).rejects.toMatchObject({ code: 'KEY_WRONG' })
    await writeFile(file, 'open sesame\r\nand more')
    expect(await wrapped.machine.start({ id: machineId })).toBe('runs')
    expect(tried).toEqual(['not it', 'open sesame'])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('where nobody can answer it is said how the passphrase can be given, and what is about passphrases asks by itself', async () => {
  const { client, tried } = lockedHost()
  const wrapped = unlockingClient(client, { terminal: terminal(false).streams, signal, json: false }, undefined)
  await expect(wrapped.machine.start({ id: machineId })).rejects.toMatchObject({ code: 'KEY_REQUIRED', data: { hint: expect.stringContaining('--passphrase-file') as string } })
  await expect(wrapped.encryption.setPassphrase({ id: machineId, current: null, passphrase: 'something else' })).rejects.toMatchObject({ code: 'KEY_REQUIRED' })
  expect(tried).toEqual([])
})
