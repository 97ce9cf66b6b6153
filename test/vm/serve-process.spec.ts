import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { MachineView } from '@shared/model'
import { buildCommandLine, ringside, Ringside, serveLibrary, type CommandLine } from './support/command-line'
import { processesNaming } from './support/processes'
import { addCounters } from './support/real-host'
import { temporaryLibrary, TemporaryFolder, type TemporaryLibrary } from './support/temporary-folder'

let programs: CommandLine
let library: TemporaryLibrary

beforeAll(async () => {
  programs = await buildCommandLine()
})
afterAll(() => programs[Symbol.asyncDispose]())
beforeEach(async () => {
  library = await temporaryLibrary()
})
afterEach(async () => {
  const left = await processesNaming(library.runtime)
  for (const { pid } of left) process.kill(pid, 'SIGKILL')
  await library[Symbol.asyncDispose]()
  expect(left).toEqual([])
})

const end = async (server: Ringside, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
  server.child.kill(signal)
  return (await server.ended).code
}
const machine = async (name: string): Promise<MachineView> =>
  (await ringside(programs, library, ['info', name, '--json'])).json as MachineView

test('the printed link lets a browser in once, the command line attaches to the server and gets another link', async () => {
  const { server, link, url, pid } = await serveLibrary(programs, library)
  const exchange = async (from: string): Promise<Response> =>
    fetch(`${url}session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token: new URL(from).hash.slice('#token='.length) }),
    })
  expect(link.startsWith(`${url}#token=`)).toBe(true)
  expect((await exchange(link)).status).toBe(200)
  expect((await exchange(link)).status).toBe(403)

  const info = await ringside(programs, library, ['info', '--json'])
  expect(info).toMatchObject({ code: 0, json: { shell: 'server', dataFolder: library.data } })
  const another = await ringside(programs, library, ['link'])
  expect((await exchange(another.stdout.trim())).status).toBe(200)

  const second = new Ringside(programs.serve, ['--port', '0'], library)
  expect(await second.ended).toMatchObject({ code: 7, stdout: '', stderr: expect.stringContaining(`process ${String(pid)}`) as string })
  expect(await end(server)).toBe(0)
  expect((await ringside(programs, library, ['info', '--json'])).json).toMatchObject({ shell: 'cli' })
})

test('a port that is taken is said so, with what to do, and the library is free again', async () => {
  const other = createServer()
  other.listen(0, '127.0.0.1')
  await once(other, 'listening')
  const taken = String((other.address() as AddressInfo).port)
  const refused = await new Ringside(programs.serve, ['--port', taken], library).ended
  expect(refused).toEqual({
    code: 1,
    stdout: '',
    stderr: `ringside: Port ${taken} of 127.0.0.1 is taken by another program.\n  Choose another with --port, or --port 0 for a free one; or end the program that has it.\n`,
  })
  const asJson = await new Ringside(programs.serve, ['--port', taken, '--json'], library).ended
  expect(JSON.parse(asJson.stderr)).toMatchObject({ error: { code: 'PORT_IN_USE' } })
  other.close()
  const { server } = await serveLibrary(programs, library)
  expect(await end(server, 'SIGINT')).toBe(0)
})

test('wrong arguments are 2, an address that is none of this computer’s 5, one that others can reach warns', async () => {
  expect(await new Ringside(programs.serve, ['--port', 'http'], library).ended).toMatchObject({ code: 2 })
  expect(await new Ringside(programs.serve, ['--port', '0', '--host', '192.0.2.1'], library).ended).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('192.0.2.1 is no address of this computer.') as string,
  })
  const open = new Ringside(programs.serve, ['--port', '0', '--host', '0.0.0.0', '--no-open'], library)
  await open.untilPrinted(/#token=/u)
  expect(open.stderr).toMatch(/^Warning: listening on 0\.0\.0\.0, without encryption\./u)
  expect(await end(open)).toBe(0)
})

test('machines go on when the server ends or is killed, and the next host takes them over', async () => {
  await addCounters(library, ['counter'])
  const first = await serveLibrary(programs, library)
  expect((await ringside(programs, library, ['start', 'counter'])).code).toBe(0)
  const before = await machine('counter')
  expect(before).toMatchObject({ state: 'running' })
  expect(await end(first.server)).toBe(0)

  const second = await serveLibrary(programs, library)
  expect(await machine('counter')).toMatchObject({
    state: 'running',
    run: { qemuPid: before.run?.qemuPid, startedAt: before.run?.startedAt },
  })
  expect(await end(second.server, 'SIGKILL')).toBeNull()

  // Without a server each command is the host itself.
  const seen = await ringside(programs, library, ['console', 'counter', '--until', 'n=0000\\d\\d', '--seconds', '20'])
  expect(seen).toMatchObject({ code: 0, stdout: expect.stringMatching(/n=\d{6}/u) as string })
  expect((await ringside(programs, library, ['stop', 'counter', '--force', '--json'])).json).toMatchObject({ state: 'stopped' })
})

test('the server saves or shuts down machines when it is told to', async () => {
  await addCounters(library, ['counter'])
  const { server } = await serveLibrary(programs, library, ['--on-exit', 'save'])
  await ringside(programs, library, ['start', 'counter'])
  expect(await end(server)).toBe(0)
  expect(await machine('counter')).toMatchObject({ state: 'saved' })

  const next = await serveLibrary(programs, library, ['--on-exit', 'shutDown'])
  expect((await ringside(programs, library, ['sample', 'polite', '--start'])).code).toBe(0)
  expect(await ringside(programs, library, ['console', 'polite', '--until', 'tick', '--seconds', '20'])).toMatchObject({ code: 0 })
  expect(await end(next.server)).toBe(0)
  expect(await machine('polite')).toMatchObject({ state: 'stopped', crash: null })
})

test('commands at the same time take turns at being the host', async () => {
  await addCounters(library, ['one', 'two'])
  const outcomes = await Promise.all(['one', 'two', 'one', 'two'].map((name) => ringside(programs, library, ['info', name, '--json'])))
  for (const outcome of outcomes) expect(outcome).toMatchObject({ code: 0, stderr: '' })
})

test('no QEMU, or one that does not work: 6, with what to do', async () => {
  const nowhere = { RINGSIDE_QEMU: '/nowhere/qemu-system-x86_64' }
  expect(await ringside(programs, library, ['probe'], nowhere)).toMatchObject({
    code: 6,
    stdout: expect.stringContaining('/nowhere/qemu-system-x86_64') as string,
  })
  await addCounters(library, ['counter'])
  expect(await ringside(programs, library, ['start', 'counter'], nowhere)).toMatchObject({
    code: 6,
    stderr: expect.stringContaining('RINGSIDE_QEMU') as string,
  })

  await using folder = await TemporaryFolder.make()
  const broken = folder.in('qemu-system-x86_64')
  for (const path of [broken, folder.in('qemu-img')])
    await writeFile(path, '#!/bin/sh\necho "cannot load libfoo.so" >&2; exit 127\n', { mode: 0o755 })
  const probed = await ringside(programs, library, ['probe', '--json'], { RINGSIDE_QEMU: broken })
  expect(probed).toMatchObject({
    code: 6,
    json: { qemu: null, qemuProblem: { message: expect.stringContaining('cannot load libfoo.so') as string } },
  })
})

test('a command line that is not built says what to do', async () => {
  await using folder = await TemporaryFolder.make()
  await mkdir(folder.in('bin'))
  await copyFile(resolve(import.meta.dirname, '../../bin/ringside.mjs'), folder.in('bin', 'ringside.mjs'))
  expect(await new Ringside(folder.in('bin', 'ringside.mjs'), ['list'], library).ended).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/not built yet.*\n.*npm run build/u) as string,
  })
})
