import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readLogTail } from './log-tail'

const folder = mkdtempSync(join(tmpdir(), 'ringside-tail-'))
afterAll(() => { rmSync(folder, { recursive: true }) })
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

test('a short log comes whole, a long one from the start of a line', async () => {
  expect(await readLogTail(file('short', 'one\ntwo\n'), 100)).toBe('one\ntwo\n')
  expect(await readLogTail(file('long', `${'x'.repeat(500)}\nwhole line\nlast`), 20)).toBe('whole line\nlast')
  expect(await readLogTail(file('one-line', 'x'.repeat(500)), 20)).toBe('x'.repeat(20))
})

test('a character that is cut in two does no harm', async () => {
  expect(await readLogTail(file('cut', `${'é'.repeat(100)}\nend\n`), 9)).toBe('end\n')
})

test('a log that is not there yet is empty; one that cannot be read is said so', async () => {
  expect(await readLogTail(join(folder, 'none'), 100)).toBe('')
  await expect(readLogTail(folder, 100)).rejects.toMatchObject({
    code: 'FILE_UNREADABLE', message: `A file of Ringside's own belongs here, and this is a folder: ${folder}`, data: { path: folder },
  })
})
