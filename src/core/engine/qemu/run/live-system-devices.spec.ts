import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { MachineDefinition } from '@shared/model'
import { SystemPart, withLiveChange } from '../../live-change'
import { balloonId, buildArgv, channelsId, randomNumbersId } from '../argv'
import { argvInput, desktop } from '../argv/argv.fixture'
import { listenBackend, listenOptions } from '../endpoint'
import { wholeQemu } from '../limits/limits.fixture'
import { FakeQmp, refuse } from './fake-qmp.fixture'
import { departureOf, makeLiveChange } from './live-changes'
import { recoverConsoles } from './live-consoles'
import type { LiveMachine } from './live-devices'
import { idOfPart, recoverSystem } from './live-system-devices'

const agent = { kind: 'unix', path: '/run/agent' } as const
const devices = (argv: readonly string[]): Record<string, unknown>[] => argv.flatMap((argument, index) => (argv[index - 1] === '-device' ? [JSON.parse(argument) as Record<string, unknown>] : []))
const having = (ids: readonly string[], answers: ConstructorParameters<typeof FakeQmp>[0] = {}): FakeQmp => new FakeQmp({ 'qom-list': () => ids.map((name) => ({ name, type: 'child<x>' })), ...answers })
const bare = argvInput({ ...desktop, balloon: false, randomNumbers: false, guestAgent: false, clipboard: false }, { qemu: wholeQemu })
const { endpoints, files: { serialLogs } } = argvInput({ ...desktop, virtioConsoles: 4 })
const withMachine = (qmp: FakeQmp, definition: MachineDefinition, { told = [], features = { vdagent: true } }: { told?: string[]; features?: Record<string, boolean> } = {}): LiveMachine => ({
  qmp: qmp.client, definition, paused: false, plan: { accelerator: bare.accelerator, qemu: { version: '7.2.22', features } }, endpoints, serialLog: (port: number) => serialLogs[port], tell: (sentence: string) => { told.push(sentence) },
} as unknown as LiveMachine)

test('QEMU is told of the machine’s own devices as on the command line, and the place of each is the same', async () => {
  const qmp = having([])
  let { definition } = bare
  const consoles = [1, 2, 3, 4].map((count) => ({ kind: 'plugConsole', consoles: count }) as const)
  for (const change of [{ kind: 'plugChannels' } as const, ...SystemPart.options.map((part) => ({ kind: 'plugSystem', part }) as const), ...consoles]) {
    await makeLiveChange(withMachine(qmp, definition), change)
    definition = withLiveChange(definition, change)
  }
  // The clipboard’s channel comes after every start.
  const added = qmp.sent.filter(({ command, parameters }) => command === 'device_add' && parameters?.['id'] !== idOfPart('clipboard')).map(({ parameters }) => parameters)
  const { argv } = buildArgv({ ...bare, endpoints, files: { ...bare.files, serialLogs }, definition })
  expect(added).toHaveLength(8)
  for (const device of added) expect(devices(argv)).toContainEqual(device)
  const before = devices(buildArgv(bare).argv)
  expect(devices(argv).filter(({ id }) => !added.some((device) => device?.['id'] === id))).toEqual(before)
  expect(argv).toContain(JSON.stringify(qmp.sent.find(({ command }) => command === 'object-add')?.parameters))
  // What has left keeps the controller on the board, and nothing else.
  const left = [...SystemPart.options.map((part) => ({ kind: 'unplugSystem', part }) as const), ...[3, 2, 1, 0].map((count) => ({ kind: 'unplugConsole', consoles: count }) as const)].reduce(withLiveChange, definition)
  expect(left).toEqual({ ...bare.definition, emptyPlaces: [{ kind: 'channelController' }] })
  expect(devices(buildArgv({ ...bare, definition: left }).argv).map(({ id }) => id)).toEqual(expect.arrayContaining([channelsId, ...before.map(({ id }) => id)]))
  expect(devices(buildArgv({ ...bare, definition: left }).argv)).toHaveLength(before.length + 1)
})

test('QEMU listens for those who want the agent or a console as on the command line', () => {
  expect([listenBackend(agent), listenOptions(agent)]).toEqual([{ type: 'socket', data: { addr: { type: 'unix', data: { path: '/run/agent' } }, server: true, wait: false } }, ['path=/run/agent', 'server=on', 'wait=off']])
  expect(listenBackend(agent, '/logs/serial1.log')).toMatchObject({ data: { logfile: '/logs/serial1.log', logappend: true } })
  expect(listenBackend({ kind: 'tcp', port: 0, psk: { identity: 'ringside', key: 'ab' } })).toEqual({ type: 'socket', data: { addr: { type: 'inet', data: { host: '127.0.0.1', port: '0' } }, server: true, wait: false, 'tls-creds': 'tls0' } })
})

test('a target that waits is told to the balloon that comes, and one that can’t be is no reason to be without', async () => {
  const definition = { ...bare.definition, memory: { ...bare.definition.memory, targetMiB: 512 } }
  const told: string[] = []
  const qmp = having([], { balloon: () => refuse('balloon', 'not now') })
  await makeLiveChange(withMachine(qmp, definition, { told }), { kind: 'plugSystem', part: 'balloon' })
  expect(qmp.sent.at(-1)).toEqual({ command: 'balloon', parameters: { value: 512 * 2 ** 20 } })
  expect(told).toEqual([expect.stringContaining('not now')])
})

test('what QEMU does not take leaves nothing behind, and what is there is not plugged in again', async () => {
  for (const [part, remains] of [['randomNumbers', 'object-del'], ['guestAgent', 'chardev-remove'], ['clipboard', 'chardev-remove']] as const) {
    const qmp = having([channelsId], { device_add: () => refuse('device_add', 'no room') })
    await expect(makeLiveChange(withMachine(qmp, bare.definition), { kind: 'plugSystem', part })).rejects.toThrow(/^The .* can’t be plugged in: no room$/u)
    expect(qmp.commands().at(-1)).toBe(remains)
    await expect(makeLiveChange(withMachine(having([idOfPart(part)]), bare.definition), { kind: 'plugSystem', part })).rejects.toThrow('already')
  }
  const refusing = having([channelsId], { device_add: () => refuse('device_add', 'no room') })
  await expect(makeLiveChange(withMachine(refusing, bare.definition), { kind: 'plugConsole', consoles: 1 })).rejects.toThrow('VirtIO console 1 can’t be plugged in: no room')
  expect(refusing.sent.at(-1)).toEqual({ command: 'chardev-remove', parameters: { id: 'sys-serial1' } })
  const there = having([channelsId])
  await makeLiveChange(withMachine(there, bare.definition), { kind: 'plugChannels' })
  expect(there.commands()).toEqual(['qom-list'])
})

test('a QEMU without a channel for the clipboard is told nothing', async () => {
  const qmp = having([channelsId])
  await expect(makeLiveChange(withMachine(qmp, bare.definition, { features: {} }), { kind: 'plugSystem', part: 'clipboard' })).rejects.toMatchObject({ code: 'CAPABILITY_MISSING', message: 'The clipboard is not shared: QEMU 7.2.22 has no channel for it.' })
  expect(qmp.commands()).not.toContain('chardev-add')
})

test('consoles come and go one after the other, behind the serial ports that run; nothing else may lie where a log goes', async () => {
  const two = { ...bare.definition, virtioConsoles: 2 }
  const inTurn = having([])
  for (const change of [{ kind: 'plugConsole', consoles: 4 }, { kind: 'plugConsole', consoles: 2 }, { kind: 'unplugConsole', consoles: 0 }, { kind: 'unplugConsole', consoles: 2 }] as const) {
    await expect(makeLiveChange(withMachine(inTurn, two), change)).rejects.toMatchObject({ code: 'ILLEGAL_STATE' })
  }
  expect(inTurn.commands()).toEqual([])
  const qmp = having([])
  await makeLiveChange(withMachine(qmp, { ...two, serialPorts: 2 }), { kind: 'plugConsole', consoles: 3 })
  expect(qmp.sent.at(-1)?.parameters).toEqual({ driver: 'virtconsole', id: 'sys-serial4-port', bus: 'sys-channels.0', nr: 4, chardev: 'sys-serial4' })
  const folder = await mkdtemp(join(tmpdir(), 'rs-console-'))
  try {
    await symlink('/etc/passwd', join(folder, 'serial1.log'))
    const outside = { ...withMachine(having([]), bare.definition), serialLog: (port: number) => join(folder, `serial${String(port)}.log`) }
    await expect(makeLiveChange(outside, { kind: 'plugConsole', consoles: 1 })).rejects.toThrow('serial1.log')
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('the clipboard’s channel that is out while memory is written has not left the machine, and neither has a console that somebody took away', () => {
  const definition = { ...bare.definition, clipboard: true, guestAgent: true, virtioConsoles: 1 }
  expect([idOfPart('clipboard'), 'sys-serial1-port', channelsId].map((id) => departureOf(definition, id))).toEqual([null, null, null])
  expect(departureOf(definition, idOfPart('guestAgent'))).toEqual({ kind: 'unplugSystem', part: 'guestAgent' })
})

test('whoever takes the machine over asks QEMU which of its own devices are there, and whether the controller of channels is', async () => {
  const all = { ...bare.definition, balloon: true, randomNumbers: true, guestAgent: true, watchdog: { model: 'i6300esb', action: 'pause' } } as const
  const found = async (ids: readonly string[], definition: MachineDefinition = all): Promise<[FakeQmp, MachineDefinition]> => {
    const qmp = having(ids)
    return [qmp, await recoverSystem(withMachine(qmp, definition), new Set(ids))]
  }
  const whole = [balloonId, randomNumbersId, idOfPart('guestAgent'), channelsId]
  expect((await found(whole))[1]).toEqual(all)
  // Cut off before anything was plugged in, and between the controller and its channel.
  const [none, nothing] = await found([])
  expect(nothing).toMatchObject({ balloon: false, randomNumbers: false, guestAgent: false })
  expect(nothing.emptyPlaces ?? []).toEqual([])
  expect(none.commands()).toEqual(['chardev-remove', 'object-del', 'chardev-remove', 'set-action'])
  expect((await found([channelsId]))[1]).toMatchObject({ guestAgent: false, emptyPlaces: [{ kind: 'channelController' }] })
  // The record does not say yet that the controller came.
  expect((await found([channelsId], bare.definition))[1].emptyPlaces).toEqual([{ kind: 'channelController' }])
  expect((await found(whole, { ...all, guestAgent: true, emptyPlaces: [{ kind: 'channelController' }] }))[1].emptyPlaces).toEqual([{ kind: 'channelController' }])
  // A snapshot had taken the clipboard’s channel out; it comes again with what else a machine has.
  const [kept, shared] = await found([channelsId], { ...bare.definition, clipboard: true })
  expect([shared.clipboard, kept.commands()]).toEqual([true, ['object-del', 'chardev-remove']])
})

test('whoever takes the machine over asks QEMU how many consoles there are, and removes what is left of others', async () => {
  const ids = ['sys-serial0-port', 'sys-serial1-port', 'sys-serial2-port', channelsId]
  for (const [serialPorts, count] of [[1, 2], [2, 1], [3, 0]] as const) {
    const qmp = having(ids)
    expect(await recoverConsoles(qmp.client, { serialPorts }, new Set(ids))).toBe(count)
    expect(qmp.sent.map(({ parameters }) => parameters?.['id'])).toEqual([3, 4, 5, 6].slice(0, 4 - count).map((port) => `sys-serial${String(port)}`))
  }
})
