import { readFile } from 'node:fs/promises'
import { PNG } from 'pngjs'
import { expect, test } from 'vitest'
import type { MachineView } from '@shared/model'
import { TemporaryFolder } from './support/temporary-folder'
import { useCommandLine } from './support/use-command-line'

const { run } = useCommandLine()

test('the sample machine, from the command line alone and without a server: made, seen, saved, gone on with, deleted', async () => {
  const made = await run('sample', 'demo', '--start', '--json')
  expect(made).toMatchObject({ code: 0, stderr: '', json: { name: 'demo', state: 'running' } })
  const { id, folder, run: firstRun } = made.json as MachineView
  expect((await run('list', '--json')).json).toMatchObject({
    machines: [{ id, name: 'demo', state: 'running', run: { qemuPid: firstRun?.qemuPid } }],
    problems: [],
  })

  const ticks = await run('console', 'demo', '--until', 'tick \\d+[^]*tick \\d+', '--seconds', '30')
  expect(ticks).toMatchObject({ code: 0, stderr: '' })
  const firstTick = lastTick(ticks.stdout)

  await using pictures = await TemporaryFolder.make()
  expect(await run('screenshot', 'demo', pictures.in('screen.png'), '--json')).toMatchObject({
    code: 0,
    json: { path: pictures.in('screen.png') },
  })
  const picture = PNG.sync.read(await readFile(pictures.in('screen.png')))
  expect(picture.width).toBeGreaterThanOrEqual(320)
  expect(new Set(pixels(picture)).size).toBeGreaterThan(4)

  // Saved, and gone on with where it was: the counter does not begin anew.
  expect(await run('save', 'demo', '--json')).toMatchObject({
    code: 0,
    json: { state: 'saved', saved: { qemuVersion: expect.any(String) as string } },
  })
  expect((await run('console', 'demo')).code).toBe(4)
  expect(await run('start', 'demo', '--json')).toMatchObject({ code: 0, json: { state: 'running' } })
  const later = await run('console', 'demo', '--until', 'tick \\d+[^]*tick \\d+', '--seconds', '30')
  expect(later.code).toBe(0)
  expect(lastTick(later.stdout)).toBeGreaterThan(firstTick)

  expect(await run('pause', 'demo', '--json')).toMatchObject({ json: { state: 'paused' } })
  expect(await run('pause', 'demo', '--json')).toMatchObject({
    code: 4,
    stdout: '',
    stderr: expect.stringContaining('"state":"paused"') as string,
  })
  expect(await run('resume', 'demo', '--json')).toMatchObject({ json: { state: 'running' } })

  expect(await run('delete', 'demo', '--yes')).toMatchObject({ code: 4 })
  expect(await run('stop', 'demo', '--timeout', '30', '--json')).toMatchObject({
    code: 0,
    json: { state: 'stopped', run: null, crash: null },
  })
  expect((await run('info', 'demo')).stdout).toMatch(/^Name +demo\nState +stopped for /u)
  expect((await run('log', 'demo', '--of', 'serial0')).stdout).toMatch(/tick \d+/u)
  expect(await run('delete', 'demo', '--yes', '--permanently', '--json')).toMatchObject({
    code: 0,
    json: { deleted: true, trashed: false },
  })
  await expect(readFile(`${folder}/machine.json`)).rejects.toMatchObject({ code: 'ENOENT' })
  expect((await run('list', '--json')).json).toEqual({ machines: [], problems: [] })
})

/** The highest number that the guest has counted to. */
function lastTick(text: string): number {
  return Math.max(...[...text.matchAll(/tick (\d+)/gu)].map((match) => Number(match[1])))
}

function* pixels({ data }: PNG): Generator<number> {
  for (let at = 0; at < data.length; at += 4) yield data.readUInt32BE(at)
}
