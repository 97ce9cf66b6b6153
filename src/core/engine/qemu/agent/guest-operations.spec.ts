import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { GuestCommand, GuestInfo } from '@shared/model'
import { AgentLine } from './agent-line'
import { FakeAgent, type Command } from './fake-agent.fixture'
import { holdFileSystems, inTurn } from './file-systems'
import { GuestOperations } from './guest-operations'

/** Answers as its tables say; everything else as an agent without that command. */
class FakeGuest {
  readonly agents: FakeAgent[] = []
  readonly asked: Command[] = []
  answers: Record<string, (values: Record<string, unknown>) => unknown> = {}
  readonly open = inTurn(() => Promise.resolve(this.#connect().stream), () => { this.line.letGo() })
  readonly line: AgentLine = new AgentLine(this.open)
  readonly guest = new GuestOperations(() => this.line)

  get agent(): FakeAgent {
    const agent = this.agents.at(-1)
    if (agent === undefined) throw new Error('Nobody has connected.')
    return agent
  }

  #connect(): FakeAgent {
    const agent = new FakeAgent()
    agent.onCommand = (command) => {
      if (['guest-sync-delimited', 'guest-ping'].includes(command.execute) || command.execute.startsWith('guest-fsfreeze')) { agent.obey(command); return }
      this.asked.push(command)
      const answer = this.answers[command.execute]
      if (answer === undefined) { agent.send(`${JSON.stringify({ error: { class: 'CommandNotFound', desc: `The command ${command.execute} has not been found` } })}\n`); return }
      try {
        agent.answer(answer(command.arguments ?? {}))
      } catch (refusal) {
        if (refusal instanceof Silence) return
        agent.send(`${JSON.stringify({ error: { class: 'GenericError', desc: (refusal as Error).message } })}\n`)
      }
    }
    this.agents.push(agent)
    return agent
  }

  knows(answers: Record<string, (values: Record<string, unknown>) => unknown>): void {
    const names = Object.keys(answers)
    this.answers = { 'guest-info': () => ({ version: '7.2.22', supported_commands: names.map((name) => ({ name, enabled: true })) }), ...answers }
  }
}

/** Thrown by an answer that does not come. */
class Silence extends Error {}

const never = new AbortController().signal
const command = (program: string): GuestCommand => GuestCommand.parse({ program })
let fake: FakeGuest

beforeEach(() => { fake = new FakeGuest() })
afterEach(() => { fake.line.close() })

describe('what a guest tells', () => {
  test('parts that the agent lacks, may not tell or fails to tell are null, each with the reason', async () => {
    fake.knows({ 'guest-get-host-name': () => ({ 'host-name': 'web' }), 'guest-get-users': () => { throw new Error('no utmp here') }, 'guest-get-timezone': () => 'noon' })
    fake.answers['guest-info'] = () => ({ version: '2.0', supported_commands: [
      ...['guest-get-host-name', 'guest-get-users', 'guest-get-timezone'].map((name) => ({ name, enabled: true })), { name: 'guest-get-osinfo', enabled: false },
    ] })
    const info = GuestInfo.parse(await fake.guest.info())
    expect(info).toMatchObject({ agentVersion: '2.0', hostName: 'web', os: null, interfaces: null, users: null, timeZone: null, fileSystems: null })
    expect(info.unknown).toEqual({
      os: 'The settings of the guest agent do not allow “guest-get-osinfo”.', interfaces: 'The guest agent (2.0) has no command “guest-network-get-interfaces”.',
      users: 'The guest agent could not do “guest-get-users”: no utmp here', timeZone: 'The guest agent sends what is no answer.', fileSystems: 'The guest agent (2.0) has no command “guest-get-fsinfo”.',
    })
    expect(Object.keys(info.cannot).sort()).toEqual(['copy', 'run', 'setPassword'])
  })

  test('names are cleaned and cut, lists are bounded, figures that cannot be are unknown', async () => {
    fake.knows({
      'guest-get-host-name': () => ({ 'host-name': `\u001b[31mroot\u202e\n${'x'.repeat(5000)}` }),
      'guest-network-get-interfaces': () => Array.from({ length: 500 }, (_, index) => ({
        name: `eth${String(index)}`,
        'ip-addresses': [...Array.from({ length: 100 }, () => ({ 'ip-address': '10.0.0.1', 'ip-address-type': 'ipv4', prefix: 8 })), { 'ip-address': '<b>', 'ip-address-type': 'ipv4', prefix: 8 }],
      })).map((one) => ({ ...one, 'ip-addresses': one['ip-addresses'].slice(60) })),
      'guest-get-fsinfo': () => [{ mountpoint: '/', type: 'ext4', 'used-bytes': 2, 'total-bytes': 1 }, { mountpoint: '/a', type: 'ext4', 'used-bytes': 1, 'total-bytes': 2 }],
      'guest-get-users': () => [{ user: 'ada', 'login-time': 1e300 }],
    })
    const info = GuestInfo.parse(await fake.guest.info())
    expect(info.hostName).toMatch(/^\[31mroot x+…$/u)
    expect(info.hostName?.length).toBeLessThanOrEqual(200)
    expect(info.interfaces).toHaveLength(64)
    expect(info.interfaces?.[0]?.addresses).toHaveLength(32)
    expect(info.fileSystems).toEqual([{ mountPoint: '/', type: 'ext4', usedBytes: null, totalBytes: null }, { mountPoint: '/a', type: 'ext4', usedBytes: 1, totalBytes: 2 }])
    expect(info.users).toEqual([{ name: 'ada', domain: null, since: null }])
  })

  test('an answer that never ends is cut off, and the next question is asked on a channel of its own', async () => {
    fake.knows({ 'guest-get-host-name': () => { fake.agent.send('{"return": "'); for (let sent = 0; sent < 40; sent++) fake.agent.send(Buffer.alloc(64 * 1024, 0x61)); throw new Silence() } })
    expect((await fake.guest.info()).unknown.hostName).toContain('floods')
    expect(fake.agents.map(({ stream }) => stream.destroyed)).toEqual([true])
    fake.knows({ 'guest-get-host-name': () => ({ 'host-name': 'tame' }) })
    expect((await fake.guest.info()).hostName).toBe('tame')
    expect(fake.agents).toHaveLength(2)
  })

  test('lines that are no answers are counted too', async () => {
    fake.knows({ 'guest-get-host-name': () => { for (let sent = 0; sent < 200; sent++) fake.agent.send(`${'z'.repeat(63 * 1024)}\n`); throw new Silence() } })
    expect((await fake.guest.info()).unknown.hostName).toContain('floods')
  })

  test('half an answer is none', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      fake.knows({ 'guest-get-host-name': () => { fake.agent.send('{"return": {"host-name": "web\n'); throw new Silence() }, 'guest-get-users': () => [] })
      const info = fake.guest.info()
      await vi.waitFor(() => { expect(fake.asked.map(({ execute }) => execute)).toContain('guest-get-host-name') })
      await vi.advanceTimersByTimeAsync(5_000)
      // An agent that hangs is not asked again and again.
      expect((await info).unknown).toMatchObject({ hostName: expect.stringContaining('did not answer') as string, users: expect.stringContaining('did not answer') as string })
      expect(fake.asked.at(-1)?.execute).toBe('guest-get-host-name')
    } finally {
      vi.useRealTimers()
    }
  })

  test('an agent that answers another’s sync is no agent', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      const info = fake.guest.info()
      const told = expect(info).rejects.toMatchObject({ code: 'CAPABILITY_MISSING' })
      await vi.waitFor(() => { fake.agent.onCommand = (asked) => { fake.agent.sync({ ...asked, arguments: { id: 7 } }) } })
      await vi.advanceTimersByTimeAsync(5_000)
      await told
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('the channel', () => {
  test('several ask at a time, and are answered in order on one channel', async () => {
    fake.knows({ 'guest-exec': ({ path }) => ({ pid: Number(path) }), 'guest-exec-status': ({ pid }) => ({ exited: true, exitcode: Number(pid) }) })
    const results = await Promise.all(['1', '2', '3'].map((program) => fake.guest.run(command(program), never)))
    expect(results.map(({ exitCode }) => exitCode)).toEqual([1, 2, 3])
    expect(fake.agents).toHaveLength(1)
  })

  test('who comes while it is being opened gets it after the first command', async () => {
    fake.knows({ 'guest-exec': () => ({ pid: 1 }), 'guest-exec-status': () => ({ exited: true, exitcode: 0 }) })
    const running = fake.guest.run(command('x'), never)
    const holding = Promise.resolve().then(() => holdFileSystems(fake.open, 1000))
    const held = await holding
    expect(fake.asked.map(({ execute }) => execute)).toEqual(['guest-exec'])
    await held.thaw()
    await running
    expect(fake.agents).toHaveLength(3)
  })

  test('who holds the file systems still gets it between two commands', async () => {
    let reads = 0
    fake.knows({ 'guest-exec': () => ({ pid: 1 }), 'guest-exec-status': () => ({ exited: ++reads > 3, exitcode: 0 }) })
    const running = fake.guest.run(command('long'), never)
    await vi.waitFor(() => { expect(reads).toBeGreaterThan(0) })
    const held = await holdFileSystems(fake.open, 1000)
    expect(fake.agents[0]?.stream.destroyed).toBe(true)
    const before = fake.asked.length
    await new Promise(setImmediate)
    expect(fake.asked).toHaveLength(before)
    await held.thaw()
    expect((await running).exitCode).toBe(0)
    expect(fake.agents).toHaveLength(3)
  })
})

describe('copies', () => {
  let folder: string
  beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'ringside-copy-')) })
  afterEach(() => rm(folder, { recursive: true }))

  const files = (read: () => unknown, size = 10): Record<string, (values: Record<string, unknown>) => unknown> => ({
    'guest-file-open': () => 1000, 'guest-file-seek': ({ whence }) => ({ position: whence === 'end' ? size : 0, eof: false }), 'guest-file-close': () => ({}), 'guest-file-read': read,
  })
  const out = (): Promise<void> => fake.guest.copyOut({ guestPath: '/x', partialPath: join(folder, 'x.part') }, () => undefined, never)

  test.each([
    ['that counts other bytes than it sends', () => ({ count: 5, 'buf-b64': 'YWJj', eof: false }), 'PROTOCOL'],
    ['that sends more than it was asked for', () => ({ count: 65_537, 'buf-b64': Buffer.alloc(65_537).toString('base64'), eof: false }), 'PROTOCOL'],
    ['that sends nothing for ever', () => ({ count: 0, 'buf-b64': '', eof: false }), 'PROTOCOL'],
    ['whose file becomes shorter', () => ({ count: 0, 'buf-b64': '', eof: true }), 'GUEST_FAILED'],
  ])('an agent %s leaves no file', async (_name, read, code) => {
    fake.knows(files(read))
    await expect(out()).rejects.toMatchObject({ code })
    expect(await readdir(folder)).toEqual([])
  })

  test('a file that grows is what it was when the copy began', async () => {
    fake.knows(files(() => ({ count: 6, 'buf-b64': Buffer.from('abcdef').toString('base64'), eof: false })))
    await out()
    expect(await readFile(join(folder, 'x.part'), 'utf8')).toBe('abcdefabcd')
  })

  test('a file that no drive has room for is not begun', async () => {
    fake.knows(files(() => { throw new Error('not to be read') }, 2 ** 52))
    await expect(out()).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(await readdir(folder)).toEqual([])
  })

  test('what the guest could not write is removed there again, and the error is the guest’s', async () => {
    const programs: unknown[] = []
    fake.knows({
      'guest-file-open': ({ mode }) => { if (mode === 'r') throw new Error('failed to open file ‘/x’: No such file or directory'); return 1 },
      'guest-file-write': () => { throw new Error('failed to write to file: No space left on device') }, 'guest-file-close': () => ({}),
      'guest-exec': ({ path, arg }) => { programs.push([path, ...(arg as string[])]); return { pid: 1 } }, 'guest-exec-status': () => ({ exited: true, exitcode: 0 }),
    })
    const hostPath = join(folder, 'source')
    await writeFile(hostPath, 'abc')
    await expect(fake.guest.copyIn({ hostPath, guestPath: '/x', overwrite: false }, () => undefined, never)).rejects.toMatchObject({ code: 'GUEST_FAILED', message: expect.stringContaining('No space left') as string })
    expect(programs).toEqual([expect.arrayContaining(['sh', '-c', '/x']), ['rm', '-f', '--', expect.stringMatching(/^\/x\.[0-9a-f]{8}\.part$/u)]])
  })

  test('what the guest says is left over is removed only where its name is that of an unfinished copy, and rights that it can’t hand on are told of', async () => {
    const programs: string[][] = []
    const said = Buffer.from(['/x.0123abcd.part', '/x', '/etc/passwd', '/x.0123abcd.part/../y', '/x.01234567.part', ''].join('\0')).toString('base64')
    fake.knows({
      'guest-file-open': () => 1, 'guest-file-read': () => ({ count: 0, 'buf-b64': '', eof: true }), 'guest-file-write': ({ 'buf-b64': bytes }) => ({ count: Buffer.from(String(bytes), 'base64').length }),
      'guest-file-flush': () => ({}), 'guest-file-close': () => ({}),
      'guest-exec': ({ path, arg }) => { programs.push([String(path), ...(arg as string[])]); return { pid: programs.length } },
      'guest-exec-status': ({ pid }) => ({ exited: true, exitcode: programs[Number(pid) - 1]?.[0] === 'stat' ? 1 : 0, ...(programs[Number(pid) - 1]?.[0] === 'sh' ? { 'out-data': said } : {}) }),
    })
    const hostPath = join(folder, 'source')
    await writeFile(hostPath, 'abc')
    const notes = await fake.guest.copyIn({ hostPath, guestPath: '/x', overwrite: true }, () => undefined, never)
    expect(notes).toEqual([expect.stringContaining('could not hand on the owner and the permissions')])
    expect(programs.map(([program]) => program)).toEqual(['sh', 'rm', 'stat', 'stat', 'mv'])
    expect(programs[1]).toEqual(['rm', '-f', '--', '/x.0123abcd.part', '/x.01234567.part'])
  })

  test('a folder or a pipe is not copied in', async () => {
    await expect(fake.guest.copyIn({ hostPath: folder, guestPath: '/x', overwrite: false }, () => undefined, never)).rejects.toMatchObject({ code: 'NOT_A_FILE' })
    expect(fake.agents).toEqual([])
  })
})
