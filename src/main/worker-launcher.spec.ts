import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fakeElectron } from '../../test/shell/fake-electron'
import { utilityProcessLauncher } from './worker-launcher'

let folder = ''
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'ringside-launcher-')) })
afterEach(() => { rmSync(folder, { recursive: true, force: true }) })

function launched() {
  const fake = fakeElectron()
  const worker = utilityProcessLauncher(fake.electron.utilityProcess, '/app/machine-worker.js')({ id: 'one', name: 'web', logFile: join(folder, 'logs/workers.log') })
  const [child] = fake.processes
  if (!child) throw new Error('no process')
  return { fake, worker, child }
}

test('a worker is a utility process of its own', () => {
  const { fake, worker } = launched()
  expect(fake.state.forks).toEqual([{ path: '/app/machine-worker.js', args: ['one'] }])
  expect(worker.pid).toBe(777)
})

test('messages go there and back, with ports beside them', () => {
  const { worker, child } = launched()
  const port = {}
  const heard: unknown[] = []
  worker.onMessage((message) => heard.push(message))
  worker.send({ type: 'start' })
  worker.send({ type: 'console' }, port)
  child.emit('message', { type: 'state' })
  expect(child.messages).toEqual([{ message: { type: 'start' }, transfer: [] }, { message: { type: 'console' }, transfer: [port] }])
  expect(heard).toEqual([{ type: 'state' }])
})

test('its end is told once', () => {
  const { worker, child } = launched()
  const exits: unknown[] = []
  worker.onExit((exit) => exits.push(exit))
  worker.kill()
  child.emit('exit', 9)
  child.emit('exit', 9)
  expect(child.killed).toBe(true)
  expect(exits).toEqual([{ code: 9, signal: null }])
})

test('what it prints is kept', async () => {
  const { child } = launched()
  child.stdout.write('starting\n')
  child.stderr.write('TypeError: x is undefined\n')
  await vi.waitFor(() => { expect(readFileSync(join(folder, 'logs/workers.log'), 'utf8')).toBe('starting\nTypeError: x is undefined\n') })
})
