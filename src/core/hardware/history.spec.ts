import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MachineDefinition, machineSchemaVersion } from '@shared/model'
import type { StoredMachine } from '../app/services'
import { machinePaths, versionPath } from '../library/paths'
import { earlierHardwareFormat, keptVersions, readHistory, readVersion, rememberDefinition } from './history'

let folder: string
let stored: StoredMachine

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringside-test-'))
  stored = { definition: definition(512), paths: machinePaths(folder, '/run/x', '11111111-1111-4111-8111-111111111111') }
})
afterEach(() => rm(folder, { recursive: true }))

function definition(memoryMiB: number): MachineDefinition {
  return MachineDefinition.parse({
    schemaVersion: machineSchemaVersion, createdBy: 'ringside 0.1.0', id: '11111111-1111-4111-8111-111111111111', name: 'web-01', createdAt: '2026-11-01T08:00:00.000Z', osId: 'debian', machineType: 'pc-q35-7.2',
    firmware: { type: 'bios' }, processors: { sockets: 1, cores: 2, threads: 1 }, memoryMiB, boot: {}, display: { model: 'vga' },
  })
}
const none = (): void => expect.fail('nothing is damaged')

test('every definition is kept before the next, newest first, within the same millisecond too, and the oldest go', async () => {
  expect(await readHistory(stored, none)).toEqual([])
  for (let memory = 1; memory <= keptVersions + 5; memory += 1) await rememberDefinition({ ...stored, definition: definition(memory) })
  const history = await readHistory(stored, none)
  expect(history).toHaveLength(keptVersions)
  expect(history.map(({ differences }) => differences[0]?.then)).toEqual(Array.from({ length: keptVersions }, (_, index) => `${String(keptVersions + 5 - index)} MiB`))
  expect(history.map(({ id }) => id)).toEqual(history.map(({ id }) => id).toSorted().toReversed())
  expect((await readVersion(stored, history[1]?.id ?? '')).memoryMiB).toBe(keptVersions + 4)
  expect((await readdir(stored.paths.historyFolder)).every((name) => /^\d{8}T\d{9}Z\.json$/u.test(name))).toBe(true)
})

test('what is damaged, newer or no file of ours is skipped and told, and stays as it is', async () => {
  await rememberDefinition(stored)
  const { historyFolder } = stored.paths
  const damaged = versionPath(historyFolder, '20200101T000000000Z')
  await writeFile(damaged, '{')
  await writeFile(versionPath(historyFolder, '20200101T000000001Z'), JSON.stringify({ schemaVersion: earlierHardwareFormat.version + 1 }))
  await symlink('/etc/passwd', versionPath(historyFolder, '20200101T000000002Z'))
  await mkdir(versionPath(historyFolder, '20200101T000000003Z'))
  await writeFile(join(historyFolder, 'notes.txt'), 'mine')
  const told: string[] = []
  expect(await readHistory(stored, (path) => { told.push(path) })).toHaveLength(1)
  expect(told).toHaveLength(4)
  await expect(readVersion(stored, '20200101T000000000Z')).rejects.toMatchObject({ code: 'DEFINITION_DAMAGED' })
  for (const id of ['../machine', 'notes', '', '20200101T000000009Z']) await expect(readVersion(stored, id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(await readdir(historyFolder)).toHaveLength(6)
})

test('a file in the place of the folder is left alone, and nothing is changed past it', async () => {
  await writeFile(stored.paths.historyFolder, 'mine')
  await expect(rememberDefinition(stored)).rejects.toMatchObject({ code: 'FILE_EXISTS' })
  expect(await readHistory(stored, none)).toEqual([])
})
