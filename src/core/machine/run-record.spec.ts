import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { definitionOf } from '../snapshot/snapshot.fixture'
import { type RunRecord, withCandidates, withDefinition, writeRunRecord } from './run-record'

test('an address of its own goes with its card: another one that is plugged in under its name keeps what it has', () => {
  const definition = { ...definitionOf({}), nics: [{ id: 'net0', model: 'virtio-net' as const, macAddress: '52:54:00:00:00:01', backend: { type: 'user' as const }, linkUp: true, slot: null }] }
  const record = { definition, ownAddresses: { net0: '52:54:00:00:00:02' } } as unknown as RunRecord
  expect(withDefinition(record, { ...definition, memoryMiB: 64 }).ownAddresses).toEqual({ net0: '52:54:00:00:00:02' })
  expect(withDefinition(record, { ...definition, nics: [] }).ownAddresses).toEqual({})
})

test('a record that is written several times at once is whole, and the last one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-record-'))
  try {
    const path = join(folder, 'run.json')
    await Promise.all(Array.from({ length: 30 }, (_, number) => writeRunRecord(path, { startedAt: String(number), padding: 'x'.repeat(number % 2 === 0 ? 100_000 : 10) } as unknown as RunRecord)))
    expect([JSON.parse(await readFile(path, 'utf8')), await readdir(folder)]).toMatchObject([{ startedAt: '29' }, ['run.json']])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test('what may have been plugged in just before a cut is asked for; the clipboard is as recorded, which is done before it comes', () => {
  const off = { balloon: false, randomNumbers: false, guestAgent: false, clipboard: false }
  const on = { balloon: true, randomNumbers: true, guestAgent: true, clipboard: true }
  const record = { definition: definitionOf({}, off), disposable: false } as unknown as RunRecord
  expect(withCandidates(record, definitionOf({}, on))).toMatchObject({ ...on, clipboard: false })
  expect(withCandidates({ ...record, definition: definitionOf({}, on) }, definitionOf({}, off))).toMatchObject(on)
})
