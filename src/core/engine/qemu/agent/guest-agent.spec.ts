import { expect, test } from 'vitest'
import { FakeAgent, type Command } from './fake-agent.fixture'
import { freezeObstacle, holdFileSystems, inTurn, thawFileSystems } from './file-systems'
import { GuestAgent } from './guest-agent'

const agentOf = (fake: FakeAgent): GuestAgent => new GuestAgent(fake.stream)

test('a sync goes ahead of every command, behind the byte that ends whatever came before', async () => {
  const fake = new FakeAgent()
  await agentOf(fake).ping(1000)
  expect(fake.received[0]).toBe(0xff)
  expect(Buffer.from(fake.received.slice(1)).toString('utf8')).toMatch(/^\{"execute":"guest-sync-delimited","arguments":\{"id":\d+\}\}\n\{"execute":"guest-ping"\}\n$/u)
})

test('answers in single bytes, and several in one piece', async () => {
  const fake = new FakeAgent()
  const agent = agentOf(fake)
  fake.onCommand = (command) => {
    if (command.execute === 'guest-sync-delimited') {
      for (const byte of Buffer.concat([Buffer.of(0xff), Buffer.from(`{"return": ${String(command.arguments?.id)}}\r\n`)])) fake.send(Buffer.of(byte))
    } else fake.send('{"return": 3}\n{"return": 4}\n')
  }
  expect(await agent.freeze(1000)).toBe(3)
  expect(await agent.freeze(1000)).toBe(3)
})

test('garbage, half lines and what is left of an earlier talk are passed over', async () => {
  const fake = new FakeAgent()
  const agent = agentOf(fake)
  fake.onCommand = (command) => {
    if (command.execute === 'guest-sync-delimited') {
      fake.send('{"return": {}}\nlogin: \u0000')
      fake.send(Buffer.concat([Buffer.from('{"ret'), Buffer.of(0xff), Buffer.from('{"return": 1}\nrubbish'), Buffer.of(0xff, 0xff)]))
      fake.send(`{"return": ${String(command.arguments?.id)}}\n`)
      fake.send('null\n[]\n{"event": "x"}\nnot json\n')
    } else fake.answer(7)
  }
  expect(await agent.freeze(1000)).toBe(7)
})

test('an answer that comes too late is not taken for the next one', async () => {
  const fake = new FakeAgent()
  const agent = agentOf(fake)
  const late: Command[] = []
  fake.onCommand = (command) => { late.push(command) }
  await expect(agent.freeze(20)).rejects.toMatchObject({ code: 'TIMED_OUT', message: expect.stringContaining('0.02 s') as string })
  fake.onCommand = (command) => {
    for (const earlier of late.splice(0)) {
      if (earlier.execute === 'guest-sync-delimited') fake.sync(earlier)
      else fake.answer(11)
    }
    fake.obey(command)
  }
  expect(await agent.isFrozen(1000)).toBe(false)
})

test('a refusal is told in the agent’s words', async () => {
  const fake = new FakeAgent()
  fake.onCommand = (command) => {
    if (command.execute === 'guest-sync-delimited') fake.sync(command)
    else fake.send('{"error": {"class": "CommandNotFound", "desc": "Command guest-fsfreeze-freeze has been disabled"}}\n')
  }
  await expect(agentOf(fake).freeze(1000)).rejects.toMatchObject({ code: 'CAPABILITY_MISSING', message: expect.stringContaining('has been disabled') as string })
})

test('a line without an end is cut off, and so is the connection', async () => {
  const fake = new FakeAgent()
  const agent = agentOf(fake)
  fake.onCommand = (command) => {
    if (command.execute !== 'guest-sync-delimited') return
    fake.sync(command)
    for (let sent = 0; sent < 20; sent++) fake.send(Buffer.alloc(16 * 1024, 0x61))
  }
  await expect(agent.ping(5000)).rejects.toMatchObject({ code: 'PROTOCOL' })
  expect(fake.stream.destroyed).toBe(true)
  await expect(agent.ping(5000)).rejects.toMatchObject({ code: 'QEMU_FAILED' })
})

test('a flood without a sync is passed over until time is up', async () => {
  const fake = new FakeAgent()
  fake.onCommand = () => { for (let sent = 0; sent < 64; sent++) fake.send(Buffer.alloc(16 * 1024, 0x7b)) }
  await expect(agentOf(fake).ping(50)).rejects.toMatchObject({ code: 'TIMED_OUT' })
})

test('an answer of the wrong kind is no number of file systems', async () => {
  const fake = new FakeAgent()
  fake.onCommand = (command) => {
    if (command.execute === 'guest-sync-delimited') fake.sync(command)
    else fake.answer('many')
  }
  await expect(agentOf(fake).freeze(1000)).rejects.toMatchObject({ code: 'PROTOCOL' })
})

test('a channel that closes ends what waits', async () => {
  const fake = new FakeAgent()
  const agent = agentOf(fake)
  fake.onCommand = () => { fake.stream.destroy() }
  await expect(agent.ping(5000)).rejects.toMatchObject({ code: 'QEMU_FAILED' })
})

test('file systems are held and let go', async () => {
  const fake = new FakeAgent()
  const held = await holdFileSystems(() => Promise.resolve(fake.stream), 1000)
  expect(fake.frozen).toBe(true)
  await held.thaw()
  expect(fake.frozen).toBe(false)
  expect(fake.stream.destroyed).toBe(true)
})

test('a freeze that takes too long is undone: the order to thaw is with the agent before it has finished', async () => {
  const fake = new FakeAgent()
  const queue: Command[] = []
  fake.onCommand = (command) => {
    if (command.execute === 'guest-fsfreeze-freeze' || queue.length > 0) queue.push(command)
    else fake.obey(command)
    if (command.execute === 'guest-fsfreeze-thaw') for (const waiting of queue.splice(0)) fake.obey(waiting)
  }
  await expect(holdFileSystems(() => Promise.resolve(fake.stream), 20)).rejects.toMatchObject({ code: 'TIMED_OUT' })
  expect(fake.commands).toEqual(['guest-ping', 'guest-fsfreeze-freeze', 'guest-fsfreeze-thaw'])
  expect(fake.frozen).toBe(false)
})

test('what stands in the way of a freeze', async () => {
  const fake = new FakeAgent()
  expect(await freezeObstacle(() => Promise.resolve(fake.stream))).toBeNull()
  const frozen = new FakeAgent()
  frozen.frozen = true
  expect(await freezeObstacle(() => Promise.resolve(frozen.stream))).toContain('already')
  expect(await freezeObstacle(() => Promise.reject(new Error('no such channel')))).toBe('no such channel')
})

test('file systems that somebody else held are let go', async () => {
  const frozen = new FakeAgent()
  frozen.frozen = true
  await thawFileSystems(() => Promise.resolve(frozen.stream))
  expect(frozen.frozen).toBe(false)
  expect(frozen.stream.destroyed).toBe(true)
})

test('those who want the agent come one after the other', async () => {
  const fakes: FakeAgent[] = []
  const open = inTurn(() => {
    const fake = new FakeAgent()
    fakes.push(fake)
    return Promise.resolve(fake.stream)
  })
  const held = await holdFileSystems(open, 1000)
  const obstacle = freezeObstacle(open)
  await new Promise(setImmediate)
  expect(fakes).toHaveLength(1)
  await held.thaw()
  expect(await obstacle).toBeNull()
  expect(fakes).toHaveLength(2)
})

test('one that could not be opened keeps nobody waiting', async () => {
  let tries = 0
  const open = inTurn(() => (++tries === 1 ? Promise.reject(new Error('gone')) : Promise.resolve(new FakeAgent().stream)))
  expect(await freezeObstacle(open)).toBe('gone')
  expect(await freezeObstacle(open)).toBeNull()
})
