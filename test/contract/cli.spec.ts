import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import { connectLocally } from '@server/local-client'
import { contractVersion } from '@shared/contract'
import { RingsideError } from '@shared/errors'
import type { MachineView } from '@shared/model'
import { fakeIds } from '../fakes/fake-data'
import { createFakeHost, type FakeHost } from '../fakes/fake-host'
import { cli, listenLocally, startCli, type LocalHost } from './cli-harness'

let host: FakeHost
let local: LocalHost

beforeEach(async () => {
  host = createFakeHost({ slowness: 0 })
  local = await listenLocally(host, { newLink: () => 'http://127.0.0.1:8460/#token=abc' })
})
afterEach(async () => {
  await local.close()
  await host.close()
})

describe('usage', () => {
  test.each([[['nonsense']], [['start']], [['list', '--nonsense']], [['stop', 'web-01', '--timeout', 'soon']], [['create', 'x']], [['create', 'x', '--blank', '--netboot']], [['create', 'x', '--blank', '--memory', 'lots']], [['create', 'x', '--blank', '--append', 'quiet']]])(
    '%j is wrong usage: 2, said on standard error',
    async (args) => {
      const result = await cli(local, ...args)
      expect(result).toMatchObject({ code: 2, stdout: '' })
      expect(result.stderr).toMatch(/^error: /u)
      const asJson = await cli(local, ...args, '--json')
      expect(asJson.code).toBe(2)
      expect(asJson.error).toMatchObject({ code: 'INVALID_INPUT', message: expect.stringMatching(/^[-A-Z].*[.)]$/u) as string })
    },
  )

  test('help and version are answers', async () => {
    const help = await cli(local, '--help')
    expect(help).toMatchObject({ code: 0, stderr: '' })
    for (const command of ['list', 'create', 'sample', 'start', 'stop', 'pause', 'resume', 'reset', 'save', 'console', 'screenshot', 'info', 'delete', 'probe', 'log', 'rename', 'link']) expect(help.stdout).toContain(`  ${command}`)
    expect(await cli(local, '--version')).toMatchObject({ code: 0, stdout: '0.0.0-test\n' })
  })

  test('every command takes --json and --data', async () => {
    for (const command of ['list', 'create', 'sample', 'start', 'stop', 'save', 'console', 'screenshot', 'info', 'delete', 'probe', 'log', 'rename', 'link']) {
      const { stdout } = await cli(local, command, '--help')
      expect(stdout, command).toMatch(/--json[^]*--data <folder>/u)
    }
  })
})

describe('naming a machine', () => {
  test.each([['web-01', fakeIds.running], ['WEB-01', fakeIds.running], ['web', fakeIds.running], [fakeIds.paused, fakeIds.paused], ['4444', fakeIds.paused]])('%s', async (wanted, id) => {
    expect((await cli(local, 'info', wanted, '--json')).json).toMatchObject({ id })
  })
  test('one that is not there is 3, with those that are', async () => {
    const result = await cli(local, 'start', 'nobody')
    expect(result).toMatchObject({ code: 3, stdout: '' })
    expect(result.stderr).toMatch(/^ringside: There is no machine “nobody”\.\n {2}There is “web-01” \(11111111\), /u)
    expect((await cli(local, 'start', 'nobody', '--json')).error).toMatchObject({ code: 'NOT_FOUND', message: 'There is no machine “nobody”.' })
  })
  test('a beginning that several have is 5', async () => {
    await cli(local, 'rename', 'router', 'web-02')
    expect(await cli(local, 'info', 'web')).toMatchObject({ code: 5, stderr: expect.stringContaining('“web” could be “web-01” (11111111), “web-02” (44444444).') as string })
  })
})

describe('looking', () => {
  test('list', async () => {
    const { json, code } = await cli(local, 'list', '--json')
    expect(code).toBe(0)
    const { machines, problems } = json as { machines: (MachineView & { name: string })[]; problems: unknown[] }
    expect(machines.map((machine) => machine.name)).toEqual(['build-agent', 'golden', 'imported', 'logger', 'old-database', 'research', 'router', 'scratch', 'shop-01', 'shop-02', 'staging', 'web-01', 'windows-11'])
    expect(machines[0]).toMatchObject({ id: fakeIds.busy, state: 'running', definition: { memoryMiB: 8192 } })
    expect(problems).toHaveLength(1)
    const text = await cli(local, 'list')
    expect(text.stdout).toMatch(/^NAME +STATE +FOR +CPUS +MEMORY +SYSTEM +ID\nbuild-agent +running +\S+ \S+ +4 +8\.00 GiB +ubuntu +22222222\n/u)
    expect(text.stderr).toContain('machine.json is no JSON')
  })

  test('info of a machine, of a crash, of the computer, of the command line', async () => {
    expect((await cli(local, 'info', 'web-01')).stdout).toMatch(/^Name +web-01\nState +running for /u)
    expect((await cli(local, 'info', 'old-database')).stdout).toMatch(/^Crash +QEMU ended with signal SIGKILL/mu)
    expect((await cli(local, 'info', '--json')).json).toMatchObject({ hostName: 'workbench', logicalProcessors: 8 })
    expect((await cli(local, 'info', 'web-01', '--command-line')).stdout).toMatch(/^\/usr\/bin\/qemu-system-x86_64 -nodefaults /u)
  })

  test('probe ends with 6 where there is no QEMU, after it has said why', async () => {
    expect(await cli(local, 'probe')).toMatchObject({ code: 0, stdout: expect.stringContaining('tcg          works (412 ms)') as string })
    const report = await host.probe.current()
    host.probe.current = () => Promise.resolve({ ...report, qemu: null, bestAccelerator: null, qemuProblem: { message: 'No QEMU was found.', remedy: 'sudo apt install qemu-system-x86', searched: ['/usr/bin'] } })
    expect(await cli(local, 'probe')).toMatchObject({ code: 6, stdout: expect.stringContaining('sudo apt install qemu-system-x86') as string })
    expect(await cli(local, 'probe', '--json')).toMatchObject({ code: 6, json: { qemu: null } })
  })

  test('screenshot writes a PNG and says how large it is', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ringside-shot-'))
    const file = join(folder, 'screen.png')
    expect((await cli(local, 'screenshot', 'web-01', file, '--json')).json).toMatchObject({ path: file, width: 640, height: 400 })
    expect((await readFile(file)).subarray(1, 4).toString()).toBe('PNG')
    expect(await cli(local, 'screenshot', 'web-01', join(folder, 'no', 'such.png'))).toMatchObject({ code: 5 })
    expect(await cli(local, 'screenshot', 'windows-11', file)).toMatchObject({ code: 4 })
    await rm(folder, { recursive: true })
  })

  test('link', async () => {
    expect((await cli(local, 'link')).stdout).toBe('http://127.0.0.1:8460/#token=abc\n')
    const other = await listenLocally(host)
    expect((await cli(other, 'link', '--json')).error).toMatchObject({ code: 'CAPABILITY_MISSING' })
    await other.close()
  })
})

describe('acting', () => {
  test('start, pause, resume, reset, save, discard-saved, rename', async () => {
    expect((await cli(local, 'start', 'windows-11', '--json')).json).toMatchObject({ name: 'windows-11', state: 'running' })
    expect((await cli(local, 'pause', 'windows-11')).stdout).toBe('“windows-11” is paused.\n')
    expect((await cli(local, 'resume', 'windows-11', '--json')).json).toMatchObject({ state: 'running' })
    expect((await cli(local, 'reset', 'windows-11')).code).toBe(0)
    expect((await cli(local, 'save', 'windows-11', '--json')).json).toMatchObject({ state: 'saved' })
    expect((await cli(local, 'discard-saved', 'windows-11', '--json')).json).toMatchObject({ state: 'stopped' })
    expect((await cli(local, 'rename', 'windows-11', 'desk')).stdout).toBe('It is called “desk” now.\n')
    expect(await cli(local, 'rename', 'desk', 'web-01')).toMatchObject({ code: 5, stderr: expect.stringContaining('A machine named “web-01” exists already') as string })
    expect(await cli(local, 'rename', 'desk', '../x')).toMatchObject({ code: 5, stderr: expect.stringContaining('A name has no slashes') as string })
  })

  test('what a state does not allow is 4, and the error names it', async () => {
    const { code, error } = await cli(local, 'pause', 'windows-11', '--json')
    expect(code).toBe(4)
    expect(error).toMatchObject({ code: 'ILLEGAL_STATE', data: { state: 'stopped' } })
  })

  test('stop waits until the machine is off', async () => {
    expect((await cli(local, 'stop', 'web-01', '--json')).json).toMatchObject({ state: 'stopped' })
    expect((await cli(local, 'stop', 'router', '--force', '--json')).json).toMatchObject({ state: 'stopped' })
  })

  test('a guest that does not shut down is 8; with --force it is switched off then', async () => {
    host.machines.shutDown = (id) => Promise.resolve(host.set(id, { state: 'stopping' }))
    expect(await cli(local, 'stop', 'web-01', '--timeout', '0.1')).toMatchObject({ code: 8, stderr: expect.stringContaining('did not shut down within 0.1 seconds') as string })
    expect(host.machines.get(fakeIds.running).state).toBe('stopping')
    expect((await cli(local, 'stop', 'web-01', '--timeout', '0.1', '--force', '--json')).json).toMatchObject({ state: 'stopped' })
    await vi.waitFor(() => { expect(host.listeners().machines).toBe(0) })
  })

  test('--no-wait only presses the button', async () => {
    host.machines.shutDown = (id) => Promise.resolve(host.set(id, { state: 'stopping' }))
    expect((await cli(local, 'stop', 'web-01', '--no-wait', '--json')).json).toMatchObject({ state: 'stopping' })
  })

  test('Ctrl+C while waiting ends with 130 and leaves the machine', async () => {
    host.machines.shutDown = (id) => Promise.resolve(host.set(id, { state: 'stopping' }))
    const run = startCli(local, ['stop', 'web-01'])
    await vi.waitFor(() => { expect(host.listeners().machines).toBe(1) })
    run.interrupt()
    expect((await run.done).code).toBe(130)
  })

  test('delete asks; where nobody can answer it wants --yes', async () => {
    expect(await cli(local, 'delete', 'windows-11')).toMatchObject({ code: 2 })
    const no = startCli(local, ['delete', 'windows-11'], { tty: true })
    no.stdin.write('n\n')
    expect((await no.done)).toMatchObject({ code: 0, stderr: expect.stringContaining('stays: /home/ada/isos/debian-12.iso') as string })
    const yes = startCli(local, ['delete', 'windows-11'], { tty: true })
    yes.stdin.write('y\n')
    expect((await yes.done).stdout).toContain('“windows-11” is in the trash.')
    expect((await cli(local, 'delete', 'old-database', '--yes', '--permanently', '--json')).json).toMatchObject({ name: 'old-database', deleted: true, trashed: false })
    expect(await cli(local, 'delete', 'build-agent', '--yes')).toMatchObject({ code: 4 })
  })

  test('an error of the host shows what the failed program said and what to do', async () => {
    host.machines.start = () => Promise.reject(new RingsideError('QEMU_FAILED', 'QEMU ended while it started.', {
      hint: 'Look at the log.', process: { command: 'qemu-system-x86_64', argv: [], exitCode: 1, signal: null, stderrTail: 'first\nCould not open disk0\n' },
    }))
    expect(await cli(local, 'start', 'windows-11')).toMatchObject({ code: 1, stderr: 'ringside: QEMU ended while it started.\n  | first\n  | Could not open disk0\n  Look at the log.\n' })
  })
})

describe('creating', () => {
  test('a machine from an ISO: the system is recognised, the rest is its defaults', async () => {
    const { json } = await cli(local, 'create', 'fresh', '--iso', '/isos/debian-12.iso', '--check', '--json')
    expect(json).toEqual({
      issues: [],
      request: { name: 'fresh', osId: 'debian', source: { type: 'cdrom', path: '/isos/debian-12.iso' }, processors: 2, memoryMiB: 2048, newDiskGiB: 32, network: 'user', hardware: {} },
    })
  })

  test.each([
    [['--blank', '--os', 'alpine', '--cpus', '3', '--memory', '1.5G', '--disk-size', '8G', '--network', 'none', '--firmware', 'bios', '--disk-bus', 'sata', '--nic', 'e1000', '--display', 'vga', '--cpu-model', 'max', '--accelerator', 'tcg'],
      { osId: 'alpine', source: { type: 'blank' }, processors: 3, memoryMiB: 1536, newDiskGiB: 8, network: 'none', hardware: { firmware: 'bios', diskBus: 'sata', nicModel: 'e1000', display: 'vga', cpuModel: 'max', accelerator: 'tcg' } }],
    [['--disk', '/d/old.vmdk', '--os', 'other', '--disk-format', 'vmdk'], { source: { type: 'disk', path: '/d/old.vmdk', format: 'vmdk', mode: 'convert' }, newDiskGiB: null }],
    [['--disk', '/d/old.qcow2', '--disk-mode', 'inPlace', '--disk-size', '512M'], { osId: 'other', source: { type: 'disk', format: 'qcow2', mode: 'inPlace' }, newDiskGiB: 0.5 }],
    [['--kernel', '/boot/vmlinuz', '--initrd', '/boot/initrd', '--append', 'console=ttyS0', '--os', 'generic-linux', '--memory', '256'], { osId: 'generic-linux', source: { type: 'kernel', kernel: '/boot/vmlinuz', initrd: '/boot/initrd', commandLine: 'console=ttyS0' }, memoryMiB: 256, newDiskGiB: null }],
    [['--netboot', '--no-disk-size'], { source: { type: 'network' }, newDiskGiB: null }],
  ])('%j', async (args, request) => {
    expect((await cli(local, 'create', 'fresh', ...args, '--check', '--json')).json).toMatchObject({ request })
  })

  test('it is made, and started when asked', async () => {
    const { json, code } = await cli(local, 'create', 'fresh', '--blank', '--start', '--json')
    expect(code).toBe(0)
    expect(json).toMatchObject({ name: 'fresh', state: 'running' })
    expect((await cli(local, 'sample', '--json')).json).toMatchObject({ name: 'Sample', state: 'stopped' })
    expect((await cli(local, 'sample', 'demo')).stdout).toBe('“demo” is made. Next: ringside start demo\n')
  })

  test('all faults at once: 5', async () => {
    const { code, error } = await cli(local, 'create', 'WEB-01', '--blank', '--memory', '64G', '--cpus', '0', '--json')
    expect(code).toBe(5)
    expect(error?.data.issues?.map((issue) => issue.path).sort()).toEqual(['memoryMiB', 'name', 'processors'])
    expect((await cli(local, 'create', '', '--blank')).stderr).toBe('ringside: Give the machine a name.\n')
    expect(await cli(local, 'create', 'x', '--iso', '/missing.iso')).toMatchObject({ code: 5, stderr: 'ringside: There is no file /missing.iso.\n  Check the path.\n' })
    expect(await cli(local, 'create', 'x', '--blank', '--os', 'beos')).toMatchObject({ code: 5, stderr: expect.stringContaining('There is no operating system “beos”') as string })
  })

  test('progress is drawn where a person watches, and nowhere else', async () => {
    const run = startCli(local, ['sample'], { tty: true })
    const result = await run.done
    expect(result.stderr).toMatch(/█+.* % {2}/u)
    expect((await cli(local, 'sample')).stderr).toBe('')
  })

  test('Ctrl+C cancels the job: 130', async () => {
    host.creation.createSample = async (_name, { signal }) => new Promise((_resolve, reject) => { signal.addEventListener('abort', () => { reject(signal.reason as Error) }) })
    const run = startCli(local, ['sample', '--json'])
    await vi.waitFor(() => { expect(host.jobs.list()).toHaveLength(1); expect(host.listeners().jobs).toBe(1) })
    run.interrupt()
    expect(await run.done).toMatchObject({ code: 130, error: { code: 'CANCELLED' } })
    expect(host.jobs.list()).toMatchObject([{ state: 'cancelled' }])
  })
})

describe('the console', () => {
  test('passes bytes both ways until the pattern is seen', async () => {
    const run = startCli(local, ['console', 'web-01', '--until', 'you typed: hello', '--seconds', '10'])
    await vi.waitFor(() => { expect(run.printed()).toContain('root@web-01') })
    run.stdin.write('hello\r')
    expect(await run.done).toMatchObject({ code: 0, stdout: expect.stringContaining('you typed: hello') as string })
    await vi.waitFor(() => { expect(host.openConsoles).toBe(0) })
  })

  test('Ctrl+] leaves; what stood before it is sent', async () => {
    const run = startCli(local, ['console', 'web-01'], { tty: true })
    await vi.waitFor(() => { expect(run.printed()).toContain('~# ') })
    run.stdin.write('last\r\u001d never')
    expect((await run.done).code).toBe(0)
  })

  test('a pattern that never comes is 8, a console that ends before is 4, no console at all too', async () => {
    expect(await cli(local, 'console', 'web-01', '--until', 'never', '--seconds', '0.1')).toMatchObject({ code: 8 })
    expect(await cli(local, 'console', 'web-01', '--seconds', '0.1')).toMatchObject({ code: 0 })
    expect(await cli(local, 'console', 'windows-11')).toMatchObject({ code: 4 })
    expect(await cli(local, 'console', 'web-01', '--port', '3')).toMatchObject({ code: 3 })
    expect(await cli(local, 'console', 'web-01', '--until', '(')).toMatchObject({ code: 2 })
  })
})

test('a host that ends in the middle is said so', async () => {
  const run = startCli(local, ['stop', 'logger', '--json'])
  host.machines.shutDown = (id) => Promise.resolve(host.set(id, { state: 'stopping' }))
  await vi.waitFor(() => { expect(host.listeners().machines).toBe(1) })
  await local.close()
  expect(await run.done).toMatchObject({ code: 1, error: { code: 'PROTOCOL', message: 'The host ended while the command was under way.' } })
})

test('a host of another version is not talked to', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-old-'))
  const address = join(folder, 'host.sock')
  const http = createServer()
  const sockets = new WebSocketServer({ server: http })
  sockets.on('headers', (headers) => headers.push('ringside-contract: 99'))
  http.listen(address)
  await once(http, 'listening')
  await expect(connectLocally(address)).rejects.toMatchObject({ code: 'LIBRARY_LOCKED', message: `The library is open in a Ringside of another version (its contract is 99, this one’s ${String(contractVersion)}).` })
  sockets.close()
  http.close()
  await rm(folder, { recursive: true })
})

test('where nobody listens, or something else, it is said so', async () => {
  await expect(connectLocally('/nowhere/host.sock')).rejects.toMatchObject({ code: 'PROTOCOL', data: { path: '/nowhere/host.sock' } })
})
