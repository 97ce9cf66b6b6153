import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { SerialLog } from './serial-log'

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ringside-log-'))
  path = join(folder, 'serial0.log')
})

afterEach(() => rm(folder, { recursive: true, force: true }))

test('a log that has become too long is cut, and its past stays readable', async () => {
  await writeFile(path, 'a'.repeat(100))
  const log = new SerialLog(path, 64)
  log.grew(1)
  await vi.waitFor(async () => { expect(await readFile(path, 'utf8')).toBe('') })
  expect(await readFile(`${path}.1`, 'utf8')).toBe('a'.repeat(100))
  await appendFile(path, 'later')
  expect(await log.end(15)).toEqual({ bytes: Buffer.from('aaaaaaaaaalater'), cut: true })
  expect((await log.end(4)).cut).toBe(true)
})

test('a short log is left alone', async () => {
  await writeFile(path, 'short')
  const log = new SerialLog(path, 64)
  log.grew(1)
  expect(await log.end(100)).toEqual({ bytes: Buffer.from('short'), cut: false })
  await vi.waitFor(async () => { expect(await readFile(path, 'utf8')).toBe('short') })
})

test('no log is no past', async () => {
  expect(await new SerialLog(path).end(10)).toEqual({ bytes: new Uint8Array(), cut: false })
})
