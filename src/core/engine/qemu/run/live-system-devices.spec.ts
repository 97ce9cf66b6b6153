import { expect, test } from 'vitest'
import type { MachineDefinition } from '@shared/model'
import { SystemPart, withLiveChange } from '../../live-change'
import { balloonId, buildArgv, channelsId, randomNumbersId } from '../argv'
import { argvInput, desktop } from '../argv/argv.fixture'
import { listenBackend, listenOptions } from '../endpoint'
import { FakeQmp, refuse } from './fake-qmp.fixture'
import { makeLiveChange } from './live-changes'
import type { LiveMachine } from './live-devices'
import { idOfPart, recoverSystem } from './live-system-devices'

const agent = { kind: 'unix', path: '/run/agent' } as const
const devices = (argv: readonly string[]): Record<string, unknown>[] => argv.flatMap((argument, index) => (argv[index - 1] === '-device' ? [JSON.parse(argument) as Record<string, unknown>] : []))
const having = (ids: readonly string[], answers: ConstructorParameters<typeof FakeQmp>[0] = {}): FakeQmp => new FakeQmp({ 'qom-list': () => ids.map((name) => ({ name, type: 'child<x>' })), ...answers })
const bare = argvInput({ ...desktop, balloon: false, randomNumbers: false, guestAgent: false, clipboard: false })
const withMachine = (qmp: FakeQmp, definition: MachineDefinition, told: string[] = []): LiveMachine => ({ qmp: qmp.client, plan: { accelerator: bare.accelerator }, definition, paused: false, agent, tell: (sentence: string) => { told.push(sentence) } } as unknown as LiveMachine)

test('QEMU is told of the machine’s own devices as on the command line, and the place of each is the same', async () => {
  const qmp = having([])
  let { definition } = bare
  for (const change of [{ kind: 'plugChannels' } as const, ...SystemPart.options.map((part) => ({ kind: 'plugSystem', part }) as const)]) {
    await makeLiveChange(withMachine(qmp, definition), change)
    definition = withLiveChange(definition, change)
  }
  const added = qmp.sent.filter(({ command }) => command === 'device_add').map(({ parameters }) => parameters)
  const { argv } = buildArgv({ ...bare, definition })
  expect(added).toHaveLength(4)
  for (const device of added) expect(devices(argv)).toContainEqual(device)
  const before = devices(buildArgv(bare).argv)
  expect(devices(argv).filter(({ id }) => !added.some((device) => device?.['id'] === id))).toEqual(before)
  expect(argv).toContain(JSON.stringify(qmp.sent.find(({ command }) => command === 'object-add')?.parameters))
  // What has left keeps the controller on the board, and nothing else.
  const left = SystemPart.options.reduce((now, part) => withLiveChange(now, { kind: 'unplugSystem', part }), definition)
  expect(devices(buildArgv({ ...bare, definition: left }).argv).map(({ id }) => id)).toEqual(expect.arrayContaining([channelsId, ...before.map(({ id }) => id)]))
  expect(devices(buildArgv({ ...bare, definition: left }).argv)).toHaveLength(before.length + 1)
})

test('QEMU listens for those who want the agent as on the command line', () => {
  expect([listenBackend(agent), listenOptions(agent)]).toEqual([{ type: 'socket', data: { addr: { type: 'unix', data: { path: '/run/agent' } }, server: true, wait: false } }, ['path=/run/agent', 'server=on', 'wait=off']])
  expect(listenBackend({ kind: 'tcp', port: 0, psk: { identity: 'ringside', key: 'ab' } })).toEqual({ type: 'socket', data: { addr: { type: 'inet', data: { host: '127.0.0.1', port: '0' } }, server: true, wait: false, 'tls-creds': 'tls0' } })
})

test('a target that waits is told to the balloon that comes, and one that can’t be is no reason to be without', async () => {
  const definition = { ...bare.definition, memory: { ...bare.definition.memory, targetMiB: 512 } }
  const told: string[] = []
  const qmp = having([], { balloon: () => refuse('balloon', 'not now') })
  await makeLiveChange(withMachine(qmp, definition, told), { kind: 'plugSystem', part: 'balloon' })
  expect(qmp.sent.at(-1)).toEqual({ command: 'balloon', parameters: { value: 512 * 2 ** 20 } })
  expect(told).toEqual([expect.stringContaining('not now')])
})

test('what QEMU does not take leaves nothing behind, and what is there is not plugged in again', async () => {
  for (const [part, remains] of [['randomNumbers', 'object-del'], ['guestAgent', 'chardev-remove']] as const) {
    const qmp = having([channelsId], { device_add: () => refuse('device_add', 'no room') })
    await expect(makeLiveChange(withMachine(qmp, bare.definition), { kind: 'plugSystem', part })).rejects.toThrow(/^The .* can’t be plugged in: no room$/u)
    expect(qmp.commands().at(-1)).toBe(remains)
    await expect(makeLiveChange(withMachine(having([idOfPart(part)]), bare.definition), { kind: 'plugSystem', part })).rejects.toThrow('already')
  }
  const there = having([channelsId])
  await makeLiveChange(withMachine(there, bare.definition), { kind: 'plugChannels' })
  expect(there.commands()).toEqual(['qom-list'])
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
  expect(none.commands()).toEqual(['object-del', 'chardev-remove', 'set-action'])
  expect((await found([channelsId]))[1]).toMatchObject({ guestAgent: false, emptyPlaces: [{ kind: 'channelController' }] })
  // The record does not say yet that the controller came.
  expect((await found([channelsId], bare.definition))[1].emptyPlaces).toEqual([{ kind: 'channelController' }])
  expect((await found(whole, { ...all, guestAgent: true, emptyPlaces: [{ kind: 'channelController' }] }))[1].emptyPlaces).toEqual([{ kind: 'channelController' }])
})
