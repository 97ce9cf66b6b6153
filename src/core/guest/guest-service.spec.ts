import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RingsideError } from '@shared/errors'
import { loadCatalog } from '../catalog'
import { GuestService, type GuestReach } from './guest-service'
import { installAdvice } from './install-advice'

let folder: string
beforeEach(async () => { folder = await realpath(await mkdtemp(join(tmpdir(), 'ringside-guest-'))) })
afterEach(() => rm(folder, { recursive: true }))

type Work = (work: string, input: Record<string, unknown>) => Promise<unknown>

function service(inGuest: Work, osId = 'debian-12'): GuestService {
  const reach = { inGuest: (_id: string, work: string, input: Record<string, unknown>) => inGuest(work, input), get: () => ({ definition: { name: 'web-01', osId } }) }
  return new GuestService({ machines: reach as unknown as GuestReach & { get: never }, catalog: loadCatalog(), keptFolders: [] })
}
const reporter = (): { signal: AbortSignal; notes: string[]; report: () => void; note: (sentence: string) => void } => {
  const notes: string[] = []
  return { signal: new AbortController().signal, notes, report: () => undefined, note: (sentence) => notes.push(sentence) }
}
/** A guest whose file has this content. */
const gives = (content: string): Work => async (_work, input) => { await writeFile(String(input['partialPath']), content, { flag: 'wx' }) }
const out = { guestPath: '/etc/motd', overwrite: false }

test('a file gets its name when it is whole', async () => {
  const job = reporter()
  await service(gives('hello')).copyOut('id', { ...out, hostPath: folder }, job)
  expect(await readdir(folder)).toEqual(['motd'])
  expect(await readFile(join(folder, 'motd'), 'utf8')).toBe('hello')
  expect(job.notes).toEqual([`Copied to ${join(folder, 'motd')}.`])
})

test('a file that came to be meanwhile is not replaced, and nothing else is left', async () => {
  const meanwhile: Work = async (work, input) => {
    await gives('theirs')(work, input)
    await writeFile(join(folder, 'motd'), 'mine')
  }
  await expect(service(meanwhile).copyOut('id', { ...out, hostPath: folder }, reporter())).rejects.toMatchObject({ code: 'FILE_EXISTS' })
  expect(await readdir(folder)).toEqual(['motd'])
  expect(await readFile(join(folder, 'motd'), 'utf8')).toBe('mine')
  await rm(join(folder, 'motd'))
  await service(meanwhile).copyOut('id', { ...out, hostPath: folder, overwrite: true }, reporter())
  expect(await readFile(join(folder, 'motd'), 'utf8')).toBe('theirs')
})

test('a worker that dies in the middle leaves no half file', async () => {
  const dying: Work = async (work, input) => {
    await gives('hal')(work, input)
    throw new RingsideError('WORKER_DIED', 'gone')
  }
  await expect(service(dying).copyOut('id', { ...out, hostPath: folder }, reporter())).rejects.toMatchObject({ code: 'WORKER_DIED' })
  expect(await readdir(folder)).toEqual([])
})

test('where nobody answers, the command of that system is told', async () => {
  const silent: Work = () => Promise.reject(new RingsideError('CAPABILITY_MISSING', 'No guest agent answers in the guest (asked for 5 s).'))
  await expect(service(silent).info('id')).rejects.toMatchObject({ message: expect.stringContaining('“web-01”') as string, data: { hint: 'Install the agent in the guest: sudo apt install qemu-guest-agent' } })
  await expect(service(silent, 'rocky').info('id')).rejects.toMatchObject({ data: { hint: expect.stringContaining('dnf') as string } })
})

test('every system of the catalogue has an advice', () => {
  const catalog = loadCatalog()
  for (const { id, family } of catalog.entries) {
    const advice = installAdvice(catalog, id)
    expect(advice, id).toMatch(family === 'windows' ? /virtio-win/u : /in the guest/iu)
  }
})
