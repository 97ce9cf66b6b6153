import { mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { RingsideError } from '@shared/errors'
import { type FileFormat, SettingsFile, VersionedFile, fileError, machineFormat, removeLeftovers, settingsFormat, writeAtomically } from '.'

interface Note {
  schemaVersion: 3
  text: string
  tags: string[]
}
const noteFormat: FileFormat<Note> = {
  title: 'The note',
  version: 3,
  schema: z.object({ schemaVersion: z.literal(3), text: z.string(), tags: z.array(z.string()).default([]) }),
  migrations: {
    1: (old) => ({ ...old, words: String(old['body']) }),
    2: ({ words, ...rest }) => ({ ...rest, text: words }),
  },
}

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rs-config-'))
  path = join(folder, 'note.json')
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

/** What `load` throws, with the certainty that the file is afterwards as it was before. */
async function refusal(content: string): Promise<RingsideError> {
  await writeFile(path, content)
  const error: unknown = await new VersionedFile(path, noteFormat).load().catch((thrown: unknown) => thrown)
  expect(await readFile(path, 'utf8')).toBe(content)
  expect(error).toBeInstanceOf(RingsideError)
  return error as RingsideError
}

test.each([machineFormat, settingsFormat, noteFormat])('$title has a migration for every version below its own', (format) => {
  expect(Object.keys(format.migrations).map(Number)).toEqual(Array.from({ length: format.version - 1 }, (_, index) => index + 1))
})

describe('a versioned file', () => {
  test('comes back as it was saved, defaults filled in', async () => {
    const file = new VersionedFile(path, noteFormat)
    await file.save({ schemaVersion: 3, text: 'Grüße', tags: ['a'] })
    expect(await file.load()).toEqual({ schemaVersion: 3, text: 'Grüße', tags: ['a'] })
    await writeFile(path, '{"schemaVersion":3,"text":"x"}')
    expect(await file.load()).toEqual({ schemaVersion: 3, text: 'x', tags: [] })
  })

  test('is migrated step by step in memory and left as it is on disk', async () => {
    const old = '{"schemaVersion":1,"body":"from long ago"}'
    await writeFile(path, old)
    expect(await new VersionedFile(path, noteFormat).load()).toEqual({ schemaVersion: 3, text: 'from long ago', tags: [], body: undefined })
    expect(await readFile(path, 'utf8')).toBe(old)
  })

  test('of a newer Ringside is refused', async () => {
    expect(await refusal('{"schemaVersion":4,"createdBy":"ringside 9.0"}')).toMatchObject({
      code: 'DEFINITION_NEWER',
      message: `The note was written by a newer Ringside (ringside 9.0): it has format 4, and this one reads up to 3: ${path}`,
      data: { path, hint: 'Update Ringside. The file is left as it is.' },
    })
  })

  test.each([
    ['', /^The note is damaged: it is empty: .*note\.json$/u],
    ['{"schemaVersion":3,', /^The note is damaged: it is no JSON \(.+\): /u],
    ['[]', /it holds no JSON object/u],
    ['{}', /its schemaVersion is no whole number from 1/u],
    ['{"schemaVersion":1.5}', /its schemaVersion is no whole number from 1/u],
    ['{"schemaVersion":3,"text":5,"tags":"no"}', /text: .+; tags: .+: /u],
    ['{"schemaVersion":"3"}', /schemaVersion/u],
  ])('with the content %j is reported as damaged', async (content, message) => {
    const error = await refusal(content)
    expect(error).toMatchObject({
      code: 'DEFINITION_DAMAGED',
      data: { path, hint: 'Repair the file or put a backup in its place. It is left as it is.' },
    })
    expect(error.message).toMatch(message)
  })

  test('that a migration chokes on is damaged, not a defect', async () => {
    const choking = {
      ...noteFormat,
      migrations: {
        ...noteFormat.migrations,
        1: () => {
          throw new TypeError('no body')
        },
      },
    }
    await writeFile(path, '{"schemaVersion":1}')
    await expect(new VersionedFile(path, choking).load()).rejects.toMatchObject({
      code: 'DEFINITION_DAMAGED',
      message: `The note is damaged: it can't be brought from format 1 to 2 (no body): ${path}`,
    })
  })

  test('that is missing, a folder, enormous, or a link where none may be, is said to be so', async () => {
    const file = new VersionedFile(path, noteFormat, 'refuse')
    await expect(file.load()).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' })
    await mkdir(path)
    await expect(file.load()).rejects.toMatchObject({ code: 'FILE_UNREADABLE', message: `The note can't be read, it is a folder: ${path}` })
    await rm(path, { recursive: true })
    await writeFile(path, '')
    await truncate(path, 17 * 1024 * 1024)
    await expect(file.load()).rejects.toMatchObject({ code: 'DEFINITION_DAMAGED' })
    await rm(path)
    await symlink('/etc/hostname', path)
    await expect(file.load()).rejects.toMatchObject({ code: 'FILE_UNREADABLE', message: `The note can't be read, it is a link: ${path}` })
  })

  test('keeps the last of many values saved at once, whole', async () => {
    const file = new VersionedFile(path, noteFormat)
    await Promise.all(Array.from({ length: 20 }, (_, index) => file.save({ schemaVersion: 3, text: String(index).repeat(5000), tags: [] })))
    expect((await file.load()).text).toBe('19'.repeat(5000))
    expect(await readdir(folder)).toEqual(['note.json'])
  })
})

describe('writing atomically', () => {
  test('keeps to the one user, follows a link and leaves nothing behind', async () => {
    await mkdir(join(folder, 'elsewhere'))
    await writeFile(join(folder, 'elsewhere/real'), 'old')
    await symlink(join(folder, 'elsewhere/real'), path)
    await writeAtomically(path, 'new')
    expect(await readFile(join(folder, 'elsewhere/real'), 'utf8')).toBe('new')
    expect(await readdir(join(folder, 'elsewhere'))).toEqual(['real'])
    if (process.platform !== 'win32') expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  test('that fails leaves what was there', async () => {
    await mkdir(path)
    await writeFile(join(path, 'inside'), 'x')
    await expect(writeAtomically(path, 'new')).rejects.toThrow(RingsideError)
    expect(await readdir(folder)).toEqual(['note.json'])
    expect(await readFile(join(path, 'inside'), 'utf8')).toBe('x')
  })

  test('that was cut off by a power failure is cleared away, and nothing else', async () => {
    await writeFile(join(folder, '.note.json.0123456789ab.tmp'), 'half')
    await writeFile(join(folder, '.mine.tmp'), 'mine')
    await removeLeftovers(folder)
    expect(await readdir(folder)).toEqual(['.mine.tmp'])
  })
})

test.each([
  ['EACCES', 'FILE_UNREADABLE', "Permission denied; this can't be read: /x"],
  ['ENOSPC', 'DISK_FULL', 'No space is left on the drive: /x'],
  ['EISDIR', 'NOT_A_FILE', 'This is a folder, not a file: /x'],
  ['ENOENT', 'FILE_NOT_FOUND', 'There is no such file: /x'],
  ['EIO', 'FILE_UNREADABLE', "The drive reports an error; this can't be read: /x"],
  ['EWHATEVER', 'FILE_UNREADABLE', "This can't be read: /x (odd)"],
])('the system error %s is put into words with what to do', (errno, code, message) => {
  const error = fileError(Object.assign(new Error('odd'), { code: errno }), '/x', 'read')
  expect(error).toMatchObject({ code, message })
  expect(error.data.hint).toMatch(/\.$/u)
})

describe('the settings', () => {
  test('start from defaults without making a file, and last once changed', async () => {
    const settingsPath = join(folder, 'new/settings.json')
    const store = await SettingsFile.open(settingsPath)
    expect(store.get()).toEqual({ schemaVersion: 1, qemuPath: null, onQuit: 'ask', storageFolders: [] })
    await expect(stat(settingsPath)).rejects.toThrow()
    const listener = vi.fn()
    const stop = store.onChange(listener)
    await Promise.all([store.change({ qemuPath: '/opt/qemu' }), store.change({ onQuit: 'save' })])
    stop()
    await store.change({ onQuit: 'keepRunning' })
    expect(listener).toHaveBeenCalledTimes(2)
    expect((await SettingsFile.open(settingsPath)).get()).toEqual({ schemaVersion: 1, qemuPath: '/opt/qemu', onQuit: 'keepRunning', storageFolders: [] })
  })

  test('refuse nonsense and stay as they were', async () => {
    const store = await SettingsFile.open(path)
    await expect(store.change({ onQuit: 'explode' as 'ask' })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      data: { issues: [{ path: 'onQuit' }] },
    })
    expect(store.get().onQuit).toBe('ask')
  })

  test.each([
    ['{ damaged', 'DEFINITION_DAMAGED'],
    ['{"schemaVersion":2}', 'DEFINITION_NEWER'],
  ])('in a file like %j are kept, announced, and changed only after a repair', async (content, code) => {
    await writeFile(path, content)
    const store = await SettingsFile.open(path)
    expect(store.get().onQuit).toBe('ask')
    expect(store.problem).toMatchObject({ code, path, folder })
    await expect(store.change({ onQuit: 'save' })).rejects.toMatchObject({
      code,
      data: { hint: 'Settings can be changed again once the file was repaired or removed.' },
    })
    expect(await readFile(path, 'utf8')).toBe(content)
    await rm(path)
    expect((await store.change({ onQuit: 'save' })).onQuit).toBe('save')
    expect(store.problem).toBeNull()
  })
})
