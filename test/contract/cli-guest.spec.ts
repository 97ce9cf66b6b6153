import { describe, expect, test, vi } from 'vitest'
import { startCli } from './cli-harness'
import { useCli } from './frames'

const { host, local, run } = useCli()

test.each([[['nonsense']], [['run', 'web-01']], [['copy', 'a']], [['copy', 'a', 'b']], [['copy', 'web-01:/a', 'web-02:/b']], [['password', 'web-01']], [['password', 'web-01', 'ada']], [['run', 'web-01', '--timeout', 'soon', '--', 'x']]])('%j is wrong usage', async (args) => {
  expect(await run('guest', ...args)).toMatchObject({ code: 2, stdout: '' })
})

test('every command has help with an example', async () => {
  for (const command of ['info', 'run', 'copy', 'password']) {
    expect((await run('guest', command, '--help')).stdout).toMatch(/--json[^]*--data <folder>[^]*\nExamples?:\n {2}ringside /u)
  }
})

describe('info', () => {
  test('is told in words, and what is not known with its reason', async () => {
    const { stdout, stderr, code } = await run('guest', 'info', 'web-01')
    expect(code).toBe(0)
    expect(stdout).toContain('System     Debian GNU/Linux 12 (bookworm)\n')
    expect(stdout).toContain('enp1s0     10.0.2.15/24\n           fec0::5054:ff:feaa:bbcc/64\n')
    expect(stdout).toMatch(/^\/srv\/www +xfs +93\.1 GiB +99\.9 GiB +93 %$/mu)
    expect(stderr).toBe('The settings of the guest agent do not allow “guest-get-timezone”.\n')
    expect((await run('guest', 'info', 'web-01', '--json')).json).toMatchObject({ machineName: 'web-01', hostName: 'web-01', timeZone: null })
  })

  test('without an agent it says how to get one', async () => {
    expect(await run('guest', 'info', 'build-agent')).toMatchObject({ code: 1, stderr: expect.stringContaining('sudo apt install qemu-guest-agent') as string })
    expect(await run('guest', 'info', 'nobody')).toMatchObject({ code: 3 })
  })
})

describe('run', () => {
  test('passes output, errors and the exit code on; options behind -- are the program’s', async () => {
    expect(await run('guest', 'run', 'web-01', '--', 'echo', '--json', '-x', 'a b')).toMatchObject({ code: 0, stdout: '--json -x a b\n', stderr: '' })
    expect(await run('guest', 'run', 'web-01', '--', 'false')).toMatchObject({ code: 1, stdout: '', stderr: 'false: no\u001b[31m\n' })
  })

  test('a terminal obeys nothing that a guest says', async () => {
    expect((await startCli(local, ['guest', 'run', 'web-01', '--', 'false'], { tty: true }).done).stderr).toBe('false: no\\x1b[31m\n')
  })

  test('standard input goes in when that is said', async () => {
    const started = startCli(local, ['guest', 'run', 'web-01', '--stdin', '--', 'cat'])
    started.stdin.end('line\n')
    expect(await started.done).toMatchObject({ code: 0, stdout: 'line\n' })
  })

  test('what keeps it from being run is 125, time that is up 124', async () => {
    expect(await run('guest', 'run', 'web-01', '--', 'none')).toMatchObject({ code: 125, stderr: expect.stringContaining('Failed to execute') as string })
    expect(await run('guest', 'run', 'windows-11', '--json', '--', 'echo')).toMatchObject({ code: 125, error: { code: 'ILLEGAL_STATE' } })
    expect(await run('guest', 'run', 'web-01', '--timeout', '0.1', '--', 'sleep', '9')).toMatchObject({ code: 124, stderr: 'Killed after 0.1 s.\n' })
  })

  test('as JSON it is one document, with the program’s exit code', async () => {
    const { code, json } = await run('guest', 'run', 'web-01', '--json', '--', 'false')
    expect([code, json]).toMatchObject([1, { exitCode: 1, signal: null, timedOut: false, stdout: '', stderr: 'false: no\u001b[31m\n', machineName: 'web-01' }])
  })

  test('Ctrl+C ends it with 130, and the program with it', async () => {
    let signal: AbortSignal | null = null
    const real = host.guests.run.bind(host.guests)
    vi.spyOn(host.guests, 'run').mockImplementation((id, command, given) => {
      signal = given
      return real(id, command, given)
    })
    const started = startCli(local, ['guest', 'run', 'web-01', '--', 'sleep', '1000'])
    await vi.waitFor(() => { expect(signal).not.toBeNull() })
    started.interrupt()
    expect(await started.done).toMatchObject({ code: 130 })
    await vi.waitFor(() => { expect(signal?.aborted).toBe(true) })
  })
})

describe('copy', () => {
  test('the side of the guest is named by its machine', async () => {
    const copyIn = vi.spyOn(host.guests, 'copyIn')
    expect(await run('guest', 'copy', 'site.tar', 'web-01:/tmp/')).toMatchObject({ code: 0, stdout: 'Copied.\n' })
    expect(copyIn.mock.lastCall?.[1]).toEqual({ hostPath: `${process.cwd()}/site.tar`, guestPath: '/tmp/', overwrite: false })
    const copyOut = vi.spyOn(host.guests, 'copyOut')
    expect(await run('guest', 'copy', 'web-01:/etc/motd', 'here/')).toMatchObject({ code: 0 })
    expect(copyOut.mock.lastCall?.[1]).toEqual({ hostPath: `${process.cwd()}/here/`, guestPath: '/etc/motd', overwrite: false })
  })

  test('what is there stays unless --overwrite is said', async () => {
    expect(await run('guest', 'copy', 'x', 'web-01:/etc/motd')).toMatchObject({ code: 5, stderr: expect.stringContaining('already') as string })
    expect(await run('guest', 'copy', 'x', 'web-01:/etc/motd', '--overwrite')).toMatchObject({ code: 0 })
    expect(await run('guest', 'copy', 'web-01:/none', '.', '--json')).toMatchObject({ code: 5, error: { code: 'FILE_NOT_FOUND' } })
  })
})

describe('password', () => {
  test('is read from standard input, and never printed', async () => {
    const set = vi.spyOn(host.guests, 'setPassword')
    const started = startCli(local, ['guest', 'password', 'web-01', 'ada', '--stdin'])
    started.stdin.end('hunter2\nmore\n')
    const { code, stdout, stderr } = await started.done
    expect([code, stdout, stderr]).toEqual([0, 'The password of “ada” in “web-01” is set.\n', ''])
    expect(set.mock.lastCall?.slice(1)).toEqual(['ada', 'hunter2'])
  })

  test('is asked for twice, unseen', async () => {
    const started = startCli(local, ['guest', 'password', 'web-01', 'ada'], { tty: true })
    started.stdin.write('hunter3\u007f2\r')
    await vi.waitFor(() => { expect(started.stdin.listenerCount('data')).toBe(1) })
    setImmediate(() => started.stdin.write('hunter1\r'))
    const { code, stderr } = await started.done
    expect(code).toBe(5)
    expect(stderr).toContain('not the same')
    expect(stderr).not.toContain('hunter')
  })
})
