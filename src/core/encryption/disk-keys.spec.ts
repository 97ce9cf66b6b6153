import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type MachineView, MachineDefinition } from '@shared/model'
import type { StoredMachine } from '../app/services'
import { desktop } from '../engine/qemu/argv/argv.fixture'
import { machinePaths } from '../library'
import { DiskKeys } from './disk-keys'
import { isKeyOf, newDiskKey, openKey, readKeyFile, sealKey } from './key-file'
import type { Keychain } from './keychain'
import { RememberedKeys } from './remembered-keys'

const cheap = { cost: 2 ** 10, blockSize: 8, parallel: 1 }
const id = desktop.id
const passphrase = 'eight letters and more'
let folder: string
let keychain: { readonly sealing: Keychain; why: string | null }

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringside-keys-'))
  const why: { now: string | null } = { now: null }
  keychain = {
    get why() { return why.now },
    set why(now) { why.now = now },
    sealing: {
      obstacle: () => Promise.resolve(why.now),
      seal: (text) => Promise.resolve(Buffer.from(text).map((byte) => byte ^ 0x5a)),
      open: (sealed) => Promise.resolve(Buffer.from(sealed.map((byte) => byte ^ 0x5a)).toString()),
    },
  }
})
afterEach(async () => {
  vi.useRealTimers()
  await rm(folder, { recursive: true, force: true })
})

function keys(encrypted = true): DiskKeys {
  const definition = MachineDefinition.parse({ ...desktop, disks: desktop.disks?.map((disk) => ({ ...disk, encrypted })) })
  const stored: StoredMachine = { definition, paths: machinePaths(join(folder, 'machine'), join(folder, 'run'), id) }
  return new DiskKeys({
    library: { get: () => stored, list: () => [stored] }, remembered: new RememberedKeys(join(folder, 'keys'), keychain.sealing), createdBy: 'test', obstacle: () => Promise.resolve(null), cost: cheap,
  })
}
const keyFile = (): string => join(folder, 'machine', 'encryption.json')
const codeOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => 'done', (error: { code: string }) => error.code)

async function withLock(): Promise<{ key: string; keys: DiskKeys }> {
  await mkdir(join(folder, 'machine'))
  const made = keys()
  return { key: await made.lockNew(keyFile(), passphrase), keys: made }
}

describe('the lock of a disk key', () => {
  test('opens with its passphrase only, however its letters were typed, and tells its key from others', async () => {
    const key = newDiskKey()
    const file = await sealKey(key, 'Grüße aus Köln', { createdBy: 'test', cost: cheap })
    expect(await openKey(file, 'Grüße aus Köln'.normalize('NFD'))).toBe(key)
    expect(await openKey(file, 'grüße aus köln')).toBeNull()
    expect(await openKey({ ...file, sealed: Buffer.from(key).toString('base64') }, 'Grüße aus Köln')).toBeNull()
    expect([isKeyOf(file, key), isKeyOf(file, newDiskKey())]).toEqual([true, false])
    expect(JSON.stringify(file)).not.toContain(key)
    expect(newDiskKey()).toMatch(/^[\w-]{43}$/u)
  })

  test('that would take all memory is damaged', async () => {
    const file = await sealKey(newDiskKey(), passphrase, { createdBy: 'test', cost: cheap })
    expect(await codeOf(openKey({ ...file, kdf: { ...file.kdf, cost: 2 ** 20, blockSize: 32 } }, passphrase))).toBe('DEFINITION_DAMAGED')
  })
})

test('a key is asked for until it is given, and a wrong one changes nothing', async () => {
  const { keys: ring, key } = await withLock()
  expect(await codeOf(ring.requireFor(id))).toBe('KEY_REQUIRED')
  expect(await codeOf(ring.unlock(id, 'another one', false))).toBe('KEY_WRONG')
  expect(await ring.find(id)).toBeNull()
  await ring.unlock(id, passphrase, false)
  expect(await ring.requireFor(id)).toBe(key)
  ring.lock(id)
  expect(await codeOf(ring.require(id))).toBe('KEY_REQUIRED')
  expect(await keys(false).requireFor(id)).toBeNull()
})

test('a new passphrase opens the same key, and the old one nothing; a cut before the end leaves the old lock', async () => {
  const { keys: ring, key } = await withLock()
  expect(await codeOf(ring.setPassphrase(id, null, 'another one', false))).toBe('KEY_REQUIRED')
  expect(await codeOf(ring.setPassphrase(id, 'no idea', 'another one', false))).toBe('KEY_WRONG')
  expect(await codeOf(ring.setPassphrase(id, passphrase, 'short', false))).toBe('INVALID_INPUT')
  const before = await readFile(keyFile(), 'utf8')
  await ring.setPassphrase(id, passphrase, 'another one', false)
  expect(await codeOf(ring.unlock(id, passphrase, false))).toBe('KEY_WRONG')
  expect(await ring.reveal(id, 'another one')).toBe(key)
  // What a kill leaves: the file that was there, and one beside it with a name of its own.
  await writeFile(join(folder, 'machine', '.encryption.json.0123456789ab.tmp'), '{"half":')
  await writeFile(keyFile(), before)
  expect(await ring.reveal(id, passphrase)).toBe(key)
})

test('a machine gets its first passphrase once; where the lock of encrypted disks is missing, no new one is made up', async () => {
  await mkdir(join(folder, 'machine'))
  expect(await codeOf(keys(true).setPassphrase(id, null, passphrase, false))).toBe('FILE_NOT_FOUND')
  expect(await readKeyFile(keyFile())).toBeNull()
  const plain = keys(false)
  await plain.setPassphrase(id, null, passphrase, false)
  expect(await plain.state(id)).toMatchObject({ diskIds: [], hasKey: true, unlocked: true, remembered: false, keychain: { available: true, reason: null } })
  expect(await codeOf(plain.setPassphrase(id, null, passphrase, false))).toBe('KEY_REQUIRED')
})

test('the keychain keeps the key sealed, for later hosts, until it is told to forget; one that does not fit is none', async () => {
  const { keys: ring, key } = await withLock()
  await ring.unlock(id, passphrase, true)
  expect((await readFile(join(folder, 'keys', `${id}.key`))).includes(key)).toBe(false)
  const later = keys()
  expect(await later.require(id)).toBe(key)
  await later.lockNew(keyFile(), passphrase)
  expect(await codeOf(keys().require(id))).toBe('KEY_REQUIRED')
  await later.forget(id)
  expect(await readdir(join(folder, 'keys'))).toEqual([])
})

test('without a keychain nothing is remembered, and the reason is said', async () => {
  const { keys: ring } = await withLock()
  keychain.why = 'There is only a file.'
  expect(await codeOf(ring.unlock(id, passphrase, true))).toBe('CAPABILITY_MISSING')
  expect(await ring.state(id)).toMatchObject({ unlocked: true, remembered: false, keychain: { available: false, reason: 'There is only a file.' } })
})

describe('in memory', () => {
  const view = (state: MachineView['state'], task: MachineView['task'] = null): MachineView => ({ id, state, task }) as MachineView

  async function followed(): Promise<{ ring: DiskKeys; tell: (machine: MachineView) => void }> {
    const { keys: ring } = await withLock()
    let now = view('stopped')
    let listener: (change: { type: 'changed'; machine: MachineView }) => void = () => undefined
    ring.follow({ get: () => now, onChange: (told) => { listener = told; return () => undefined } })
    await ring.unlock(id, passphrase, false)
    return { ring, tell: (machine) => { now = machine; listener({ type: 'changed', machine }) } }
  }

  test('a key goes when its machine goes off, and not when a start failed or a revert starts it anew', async () => {
    const { ring, tell } = await followed()
    for (const state of ['starting', 'stopped', 'starting', 'running'] as const) tell(view(state))
    for (const state of ['running', 'stopped', 'starting', 'running'] as const) tell(view(state, 'revert'))
    tell(view('running'))
    expect(await ring.find(id)).not.toBeNull()
    tell(view('stopped'))
    expect(await ring.find(id)).toBeNull()
  })

  test('a key that nobody needs goes after some minutes', async () => {
    vi.useFakeTimers()
    const { ring, tell } = await followed()
    tell(view('stopped', 'snapshot'))
    vi.advanceTimersByTime(6 * 60_000)
    expect((await ring.state(id)).unlocked).toBe(true)
    tell(view('stopped'))
    vi.advanceTimersByTime(6 * 60_000)
    expect((await ring.state(id)).unlocked).toBe(false)
  })
})
