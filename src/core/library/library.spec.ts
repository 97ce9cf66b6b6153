import { randomUUID } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { RingsideError } from '@shared/errors'
import { MachineDefinition, machineSchemaVersion } from '@shared/model'
import { FolderLibrary, type LibraryOptions } from './library'
import { machinePaths, shortId } from './paths'

let folder: string
let library: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rs-library-'))
  library = join(folder, 'library')
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

function open(options: Partial<LibraryOptions> = {}): Promise<FolderLibrary> {
  return FolderLibrary.open({
    folder: library,
    runtimeRoot: join(folder, 'run'),
    trash: (path) => rename(path, join(folder, `trashed-${basename(path)}`)),
    ...options,
  })
}

function machine(name: string, more: Partial<MachineDefinition> = {}): MachineDefinition {
  return MachineDefinition.parse({
    schemaVersion: machineSchemaVersion,
    createdBy: 'ringside test',
    id: randomUUID(),
    name,
    createdAt: '2026-01-02T03:04:05Z',
    osId: 'linux',
    machineType: 'pc-q35-7.2',
    firmware: { type: 'bios' },
    processors: { sockets: 1, cores: 2, threads: 1 },
    memoryMiB: 512,
    boot: {},
    display: { model: 'virtio-vga' },
    ...more,
  })
}

const nothing = (): Promise<void> => Promise.resolve()

async function caught(work: Promise<unknown>): Promise<RingsideError> {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(RingsideError)
  return error as RingsideError
}

describe('adding', () => {
  test('makes a whole machine that is there after a restart', async () => {
    const first = await open()
    const changes = vi.fn()
    first.onChange(changes)
    const definition = machine('Web 01')
    const stored = await first.add(definition, async (paths) => {
      expect(basename(paths.folder)).toBe(`.new-${shortId(definition.id)}`)
      await writeFile(join(paths.disksFolder, 'disk0.raw'), 'x')
    })
    expect(stored.paths.folder).toBe(join(library, `web-01-${shortId(definition.id)}`))
    expect(changes).toHaveBeenCalledWith({ type: 'changed', id: definition.id })
    expect((await readdir(stored.paths.folder)).sort()).toEqual(['disks', 'firmware', 'logs', 'machine.json'])
    expect(await readdir(library)).toEqual([basename(stored.paths.folder)])
    if (process.platform !== 'win32') expect((await stat(stored.paths.folder)).mode & 0o777).toBe(0o700)
    const again = await open()
    expect(again.list().map((found) => found.definition)).toEqual([definition])
    expect(again.get(definition.id).paths.definition).toBe(stored.paths.definition)
    expect(again.problems()).toEqual([])
  })

  test('that fails leaves nothing, and its name is free again', async () => {
    const opened = await open()
    const failure = new RingsideError('DISK_FULL', 'No space.')
    await expect(
      opened.add(machine('a'), async (paths) => {
        await writeFile(join(paths.disksFolder, 'half'), 'x')
        throw failure
      }),
    ).rejects.toBe(failure)
    expect(await readdir(library)).toEqual([])
    expect(opened.list()).toEqual([])
    await opened.add(machine('a'), nothing)
  })

  test.each(['taken', 'TAKEN', ' Taken '])('refuses the name %j when “Taken” is there', async (name) => {
    const opened = await open()
    await opened.add(machine('Taken'), nothing)
    const error = await caught(opened.add(machine(name), nothing))
    expect(error).toMatchObject({ code: 'NAME_TAKEN', message: 'A machine named “Taken” exists already; choose another name.' })
    expect(await readdir(library)).toHaveLength(1)
  })

  test('refuses a name that is just being used for another new machine', async () => {
    const opened = await open()
    const results = await Promise.allSettled([opened.add(machine('twin'), nothing), opened.add(machine('Twin'), nothing)])
    expect(results.map((result) => result.status).sort()).toEqual(['fulfilled', 'rejected'])
  })

  test.each([
    ['', 'Give the machine a name.'],
    ['../x', 'A name has no slashes, backslashes or control characters; leave them out.'],
    ['n'.repeat(300), 'A name has at most 100 characters; this one has 300.'],
    ['a\u202egnp.b', 'A name has no slashes, backslashes or control characters; leave them out.'],
    ['a\u009b2Jb', 'A name has no slashes, backslashes or control characters; leave them out.'],
    ['\u200b\u2060', 'A name has at least one character that can be seen.'],
    ['..', 'A name is more than dots.'],
  ])('refuses the name %j in words', async (name, message) => {
    const opened = await open()
    const error = await caught(opened.add({ ...machine('ok'), name }, nothing))
    expect(error).toMatchObject({ code: 'INVALID_INPUT', data: { issues: [{ path: 'name', message }] } })
    expect(await readdir(library)).toEqual([])
  })

  test('refuses an id that is there, or whose short form is', async () => {
    const opened = await open()
    const { definition } = await opened.add(machine('a'), nothing)
    await expect(opened.add(machine('b', { id: definition.id }), nothing)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
    await expect(
      opened.add(machine('b', { id: `${definition.id.slice(0, 8)}-0000-4000-8000-000000000000` }), nothing),
    ).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  })
})

describe('opening', () => {
  test.each([
    ['{"schemaVersion":1,', 'DEFINITION_DAMAGED', /is damaged: it is no JSON/u],
    ['{"schemaVersion":1}', 'DEFINITION_DAMAGED', /is damaged: createdBy: /u],
    ['{"schemaVersion":99,"createdBy":"ringside 9"}', 'DEFINITION_NEWER', /was written by a newer Ringside \(ringside 9\)/u],
    [null, 'DEFINITION_DAMAGED', /its machine\.json is missing/u],
  ])('reports a machine.json with %j, leaves it as it is and opens the others', async (content, code, message) => {
    const { definition } = await (await open()).add(machine('good'), nothing)
    const bad = join(library, 'bad-01234567')
    await mkdir(bad)
    const path = join(bad, 'machine.json')
    if (content !== null) await writeFile(path, content)
    const opened = await open()
    expect(opened.list().map((found) => found.definition.id)).toEqual([definition.id])
    expect(opened.problems()).toEqual([
      { folder: bad, path, code, message: expect.stringMatching(message) as string, hint: expect.stringMatching(/\.$/u) as string },
    ])
    expect(opened.problems()[0]?.message).toContain(content === null ? bad : path)
    if (content !== null) expect(await readFile(path, 'utf8')).toBe(content)
  })

  test('takes a copied folder for what it is', async () => {
    const { definition, paths } = await (await open()).add(machine('original'), nothing)
    await cp(paths.folder, join(library, 'a copy'), { recursive: true })
    const opened = await open()
    expect(opened.list().map((found) => found.paths.folder)).toEqual([paths.folder])
    expect(opened.get(definition.id).paths.folder).toBe(paths.folder)
    expect(opened.problems()).toMatchObject([
      {
        folder: join(library, 'a copy'),
        message: `“original” in ${join(library, 'a copy')} has the same id as the machine in ${paths.folder}.`,
      },
    ])
  })

  test('clears its own leftovers away and reports what only looks like one', async () => {
    await mkdir(join(library, '.new-11111111'), { recursive: true })
    await mkdir(join(library, '.new-22222222'))
    await writeFile(join(library, '.new-22222222/.ringside-temporary'), '{"ringside":"temporary","pid":999999999,"token":"x"}')
    await writeFile(join(library, '.new-22222222/disk.raw'), 'half')
    await mkdir(join(library, '.new-33333333'))
    await writeFile(join(library, '.new-33333333/thesis.txt'), 'precious')
    await mkdir(join(library, '.new-44444444'))
    await writeFile(
      join(library, '.new-44444444/.ringside-temporary'),
      JSON.stringify({ ringside: 'temporary', pid: process.ppid, token: 'x' }),
    )
    await writeFile(join(library, 'README.txt'), 'ignored')
    const opened = await open()
    expect(opened.problems()).toMatchObject([
      { folder: join(library, '.new-33333333'), message: expect.stringContaining('nothing shows that Ringside made it') as string },
    ])
    expect((await readdir(library)).sort()).toEqual(['.new-33333333', '.new-44444444', 'README.txt'])
  })

  test('does not follow links out of the library', async () => {
    const { paths } = await (await open()).add(machine('a'), nothing)
    const outside = join(folder, 'outside')
    await rename(paths.folder, outside)
    await symlink(outside, paths.folder)
    await mkdir(join(library, 'm-1'))
    await symlink(join(outside, 'machine.json'), join(library, 'm-1/machine.json'))
    const opened = await open()
    expect(opened.list()).toEqual([])
    expect(opened.problems().map((problem) => problem.code)).toEqual(['FILE_UNREADABLE', 'FILE_UNREADABLE'])
  })

  test('that can not be: a file in its place', async () => {
    await writeFile(library, '')
    await expect(open()).rejects.toMatchObject({ code: 'FILE_EXISTS', message: `A folder is needed here, and this is a file: ${library}` })
  })

  test('shows the problems of others too', async () => {
    const problem = { folder, path: folder, code: 'DEFINITION_DAMAGED' as const, message: 'm', hint: 'h' }
    expect((await open({ otherProblems: () => [problem] })).problems()).toEqual([problem])
  })
})

describe('changing', () => {
  test('a rename changes the definition and leaves the folder', async () => {
    const opened = await open()
    const { definition, paths } = await opened.add(machine('old'), nothing)
    const renamed = await opened.update(definition.id, (current) => ({ ...current, name: 'New' }))
    expect(renamed.paths.folder).toBe(paths.folder)
    expect((await open()).get(definition.id).definition.name).toBe('New')
    await opened.update(definition.id, (current) => ({ ...current, name: 'NEW' }))
  })

  test('refuses the name of another, and nonsense, and leaves the file', async () => {
    const opened = await open()
    await opened.add(machine('a'), nothing)
    const { definition, paths } = await opened.add(machine('b'), nothing)
    const before = await readFile(paths.definition, 'utf8')
    await expect(opened.update(definition.id, (current) => ({ ...current, name: 'A' }))).rejects.toMatchObject({ code: 'NAME_TAKEN' })
    await expect(opened.update(definition.id, (current) => ({ ...current, memoryMiB: -1 }))).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      data: { issues: [{ path: 'memoryMiB' }] },
    })
    expect(await readFile(paths.definition, 'utf8')).toBe(before)
    expect(opened.get(definition.id).definition.name).toBe('b')
  })

  test('gives one name to one machine, when two ask for it at the same time', async () => {
    const opened = await open()
    const made = [await opened.add(machine('a'), nothing), await opened.add(machine('b'), nothing)]
    const rename = ({ definition }: (typeof made)[number]): Promise<unknown> => opened.update(definition.id, (old) => ({ ...old, name: 'z' }))
    const results = await Promise.allSettled(made.map(rename))
    // Which of them is first depends on the drive.
    const refused = results.filter((result) => result.status === 'rejected')
    expect(refused).toMatchObject([{ reason: { code: 'NAME_TAKEN' } }])
    expect(opened.list().filter(({ definition }) => definition.name === 'z')).toHaveLength(1)
  })

  test('keeps an edit made by hand, and refuses to write over a file damaged meanwhile', async () => {
    const opened = await open()
    const { definition, paths } = await opened.add(machine('a'), nothing)
    await writeFile(paths.definition, JSON.stringify({ ...definition, memoryMiB: 777 }))
    expect((await opened.update(definition.id, (current) => ({ ...current, notes: 'n' }))).definition).toMatchObject({
      memoryMiB: 777,
      notes: 'n',
    })
    await writeFile(paths.definition, 'oops')
    await expect(opened.update(definition.id, (current) => current)).rejects.toMatchObject({ code: 'DEFINITION_DAMAGED' })
    expect(await readFile(paths.definition, 'utf8')).toBe('oops')
  })

  test('happens one after the other', async () => {
    const opened = await open()
    const { definition } = await opened.add(machine('a'), nothing)
    await Promise.all(
      Array.from({ length: 10 }, () => opened.update(definition.id, (current) => ({ ...current, memoryMiB: current.memoryMiB + 1 }))),
    )
    expect(opened.get(definition.id).definition.memoryMiB).toBe(522)
  })
})

describe('deleting', () => {
  const external = (path: string): MachineDefinition['disks'][number] => ({
    id: 'disk1',
    image: { kind: 'external', path },
    encrypted: false,
    format: 'raw',
    bus: 'virtio-blk',
    readOnly: false,
    cache: 'auto',
    discard: true,
    detectZeroes: 'auto',
    aio: 'auto',
    serial: null,
    limits: null,
    slot: null,
  })

  test('is planned with sizes, names what stays, and counts nothing behind links', async () => {
    const opened = await open()
    const precious = join(folder, 'precious.raw')
    await writeFile(precious, Buffer.alloc(1_000_000, 1))
    const { definition, paths } = await opened.add(
      machine('a', { disks: [external(precious)], cdroms: [{ id: 'cd0', image: { kind: 'external', path: '/iso/x.iso' }, bus: 'sata' }] }),
      async (made) => {
        await writeFile(join(made.disksFolder, 'disk0.raw'), Buffer.alloc(100_000, 1))
        await symlink(precious, join(made.disksFolder, 'link'))
        await symlink(folder, join(made.disksFolder, 'loop'))
      },
    )
    const plan = await opened.deletePlan(definition.id)
    expect(plan).toMatchObject({ folder: paths.folder, keeps: [precious, '/iso/x.iso'], toTrash: true })
    expect(plan.deletes.map((file) => basename(file.path)).sort()).toEqual(['disk0.raw', 'link', 'loop', 'machine.json'])
    expect(plan.deletes[0]?.path).toBe(join(paths.disksFolder, 'disk0.raw'))
    expect(plan.bytes).toBeGreaterThanOrEqual(100_000)
    expect(plan.bytes).toBeLessThan(500_000)
    expect(await opened.remove(definition.id, { permanently: true })).toEqual({ trashed: false })
    expect((await stat(precious)).size).toBe(1_000_000)
    expect(await readdir(library)).toEqual([])
    expect(() => opened.get(definition.id)).toThrow(/There is no machine with the id/u)
  })

  test('goes to the trash', async () => {
    const opened = await open()
    const changes = vi.fn()
    const { definition, paths } = await opened.add(machine('a'), nothing)
    opened.onChange(changes)
    expect(await opened.remove(definition.id, { permanently: false })).toEqual({ trashed: true })
    expect(changes).toHaveBeenCalledWith({ type: 'removed', id: definition.id })
    expect(await readdir(join(folder, `trashed-${basename(paths.folder)}`))).toContain('machine.json')
  })

  test.each([
    ['there is none', null, /^“a” can't be moved to the trash: this system has none\.$/u],
    ['it fails', () => Promise.reject(new Error('full')), /^“a” can't be moved to the trash, it is left as it is: .+ \(full\)$/u],
    ['it only pretends', nothing, /can't be moved to the trash, it is left as it is/u],
  ])('leaves everything when the trash is asked for and %s', async (_why, trash, message) => {
    const opened = await open({ trash })
    const { definition, paths } = await opened.add(machine('a'), nothing)
    const error = await caught(opened.remove(definition.id, { permanently: false }))
    expect(error.code).toBe('CAPABILITY_MISSING')
    expect(error.message).toMatch(message)
    expect(error.data.hint).toMatch(/^Delete it permanently instead/u)
    expect(await readdir(paths.folder)).toContain('machine.json')
    expect(opened.get(definition.id).definition.name).toBe('a')
  })
})

test('the paths given out are those of the path module', async () => {
  const { definition, paths } = await (await open()).add(machine('a'), nothing)
  expect(JSON.stringify(paths)).toBe(JSON.stringify(machinePaths(paths.folder, join(folder, 'run'), definition.id)))
})
