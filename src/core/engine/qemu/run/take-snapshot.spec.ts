import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MachineDefinition } from '@shared/model'
import { desktop, fullQemu } from '../argv/argv.fixture'
import { event, FakeQmp, refuse } from './fake-qmp.fixture'
import { GuestHold } from './guest-hold'
import { SnapshotTaking, type SnapshotParts } from './take-snapshot'

let folder: string
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'rs-taking-')) })
afterEach(() => rm(folder, { recursive: true, force: true }))

const never = new AbortController().signal
const overlays = { disk0: '/machine/disks/disk0.0a1b2c3d.qcow2' }

/** A running machine of which a script says what its QEMU does. */
function machine(answers: ConstructorParameters<typeof FakeQmp>[0], changes: Partial<SnapshotParts> = {}): { qmp: FakeQmp; parts: SnapshotParts; told: string[] } {
  const told: string[] = []
  let clock = 1000
  const qmp: FakeQmp = new FakeQmp({
    'query-block': () => [{ device: '', inserted: { 'node-name': 'disk0', file: '', ro: false, drv: 'qcow2' } }],
    'query-named-block-nodes': () => [{ 'node-name': 'disk0', drv: 'qcow2', file: 'json:{}', ro: false }, { 'node-name': 'disk0.file', drv: 'file', file: '/machine/disks/disk0.qcow2', ro: false }],
    'query-migrate-capabilities': () => [],
    'query-status': () => ({ status: 'paused' }),
    'stop': () => { hold.owns(event('STOP', clock)) },
    'cont': () => { hold.owns(event('RESUME', clock += 7)) },
    ...answers,
  })
  const hold = new GuestHold(qmp.client, false, join(folder, 'held'))
  const qemu = { ...fullQemu, systemPath: '', imgPath: '', package: '', cpuModels: [], builtInAccelerators: [], features: { backgroundSnapshot: true, fileMigration: true, mappedRam: true, multifd: true } }
  const parts: SnapshotParts = {
    qmp: qmp.client, plan: { definition: MachineDefinition.parse(desktop), qemu, accelerator: 'tcg' }, socket: join(folder, 'ram'), hold, paused: false, openAgent: null,
    clipboard: { remove: () => qmp.execute('remove-clipboard').then(() => undefined), restore: () => qmp.execute('restore-clipboard').then(() => undefined) },
    tell: (sentence) => told.push(sentence), ...changes,
  }
  return { qmp, parts, told }
}

test('QEMU that can’t begin in the background after all writes with the guest standing still, at the same instant', async () => {
  let tries = 0
  const { qmp, parts } = machine({
    'migrate': () => { tries++ },
    'query-migrate': () => (tries === 0 ? {} : tries === 1 ? { status: 'failed', 'error-desc': 'userfaultfd broke' } : { status: 'completed' }),
  })
  const taken = await new SnapshotTaking(parts, { overlays, ramFile: join(folder, 'ram.state'), freezeMs: null }, () => undefined, never).take()
  expect(taken).toMatchObject({ method: 'paused', pauseMs: 7, memory: { format: 'mapped-ram', compression: 'none' }, notes: [expect.stringContaining('userfaultfd broke') as string] })
  const commands = qmp.commands()
  expect(commands.filter((command) => ['stop', 'transaction', 'migrate', 'cont'].includes(command))).toEqual(['stop', 'transaction', 'migrate', 'migrate', 'cont'])
  expect([commands[0], commands.at(-1)]).toEqual(['query-migrate', 'restore-clipboard'])
})

test('a guest that QEMU itself has stopped just then stands still while its memory is written: in the background QEMU would end', async () => {
  let started = false
  const backgrounds: unknown[] = []
  const { qmp, parts } = machine({
    'query-status': () => ({ status: 'io-error' }),
    'migrate-set-capabilities': ({ capabilities }) => { backgrounds.push((capabilities as { capability: string; state: boolean }[]).find(({ capability }) => capability === 'background-snapshot')?.state) },
    'migrate': () => { started = true },
    'query-migrate': () => (started ? { status: 'completed' } : {}),
  })
  const taken = await new SnapshotTaking(parts, { overlays, ramFile: join(folder, 'ram.state'), freezeMs: null }, () => undefined, never).take()
  expect(taken).toMatchObject({ method: 'paused', notes: [expect.stringContaining('io-error') as string] })
  expect(qmp.commands().filter((command) => command === 'migrate')).toHaveLength(1)
  expect(backgrounds.at(-1)).toBe(false)
})

test('once the guest has gone on, memory that can’t be written is no snapshot: the file goes, and nothing is tried at another instant', async () => {
  let asked = 0
  const { qmp, parts } = machine({
    'migrate': () => { asked = 1 },
    'query-migrate': () => (asked === 0 ? {} : asked++ < 3 ? { status: 'active', ram: { total: 100, remaining: 0, normal: 1, duplicate: 0, 'page-size': 10 } } : { status: 'failed', 'error-desc': 'the drive broke' }),
  })
  const fractions: (number | null)[] = []
  await expect(new SnapshotTaking(parts, { overlays, ramFile: join(folder, 'ram.state'), freezeMs: null }, (fraction) => fractions.push(fraction), never).take()).rejects.toMatchObject({ message: expect.stringContaining('the drive broke') as string })
  expect(fractions).toEqual([0.1])
  expect(qmp.commands().filter((command) => ['stop', 'transaction', 'migrate', 'cont', 'migrate_cancel'].includes(command))).toEqual(['stop', 'transaction', 'migrate', 'cont', 'migrate_cancel'])
  expect(await readdir(folder)).toEqual([])
})

test('a switch that QEMU refuses: the guest goes on, and overlays and memory file are gone', async () => {
  const { qmp, parts } = machine({ transaction: () => refuse('transaction', 'Node is busy') })
  await expect(new SnapshotTaking(parts, { overlays, ramFile: null, freezeMs: null }, () => undefined, never).take()).rejects.toMatchObject({ code: 'QEMU_FAILED' })
  const opened = qmp.sent.filter(({ command }) => command === 'blockdev-add').map(({ parameters }) => parameters?.['node-name'])
  expect(qmp.sent.filter(({ command }) => command === 'blockdev-del').map(({ parameters }) => parameters?.['node-name'])).toEqual(opened.toReversed())
  expect(qmp.commands()).toContain('cont')
  expect(await readdir(folder)).toEqual([])
})

test('a guest that can’t be let go is told of, and the reason of the failure is the first one', async () => {
  const { parts, told } = machine({ transaction: () => refuse('transaction', 'Node is busy'), cont: () => refuse('cont', 'Image is locked') })
  await expect(new SnapshotTaking(parts, { overlays, ramFile: null, freezeMs: null }, () => undefined, never).take()).rejects.toThrow('Node is busy')
  expect(told).toEqual([expect.stringContaining('Image is locked')])
  expect(await readdir(folder)).toEqual(['held'])
})

test('a QEMU whose connection breaks leaves the mark, for whoever connects again', async () => {
  const { qmp, parts } = machine({ transaction: () => { qmp.isClosed = true; refuse('transaction', 'gone') } })
  await expect(new SnapshotTaking(parts, { overlays, ramFile: null, freezeMs: null }, () => undefined, never).take()).rejects.toThrow('gone')
  expect(await readdir(folder)).toEqual(['held'])
  expect(qmp.commands()).not.toContain('cont')
})

test('file systems that can’t be let go are told of: of the machine, not of the snapshot', async () => {
  // Answers all but the thaw.
  const agent = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      for (const line of chunk.subarray(1).toString('utf8').split('\n').filter((text) => text !== '')) {
        const { execute, arguments: given } = JSON.parse(line) as { execute: string; arguments?: { id: number } }
        if (execute === 'guest-sync-delimited') agent.push(Buffer.concat([Buffer.of(0xff), Buffer.from(`{"return": ${String(given?.id)}}\n`)]))
        else if (execute === 'guest-fsfreeze-thaw') agent.destroy()
        else agent.push('{"return": 1}\n')
      }
      done()
    },
  })
  const { parts, told } = machine({}, { openAgent: () => Promise.resolve(agent) })
  expect(await new SnapshotTaking(parts, { overlays, ramFile: null, freezeMs: 1000 }, () => undefined, never).take()).toMatchObject({ method: 'none', pauseMs: 7, quiesced: true, notes: [] })
  expect(told).toEqual([expect.stringContaining('may still be held')])
})
