import { expect, test } from 'vitest'
import { fakeIds } from '../fakes/fake-data'
import { useCli } from './frames'

const { host, run: ringside } = useCli()
const run = (...args: string[]): ReturnType<typeof ringside> => ringside('hardware', ...args)
const commands = ['show', 'set', 'preset', 'command', 'discard', 'retry', 'cd', 'link', 'balloon', 'disk', 'reset-uefi', 'history', 'revert']

test.each([
  ...commands.map((command) => [command]), ['set', 'web-01', 'memory'], ['set', 'web-01', 'disks.disk9.bus=sata'], ['cd', 'insert', 'web-01'], ['cd', 'eject', 'web-01', 'x.iso'],
  ['cd', 'push', 'web-01'], ['link', 'sideways', 'web-01'], ['balloon', 'web-01', 'much'], ['balloon', 'web-01', '+1G'], ['disk', 'add', 'web-01'], ['disk', 'remove', 'web-01'], ['disk', 'add', 'web-01', '--new', 'much'], ['disk', 'add', 'web-01', '--new', '1G', '--use', 'x'],
  ['preset', 'web-01', '--all', '--only', 'clock'], ['preset', 'web-01', '--only', 'sound'],
])('%s %s %s is wrong usage: 2', async (...args) => {
  const result = await run(...args.filter((arg) => (arg as string | undefined) !== undefined))
  expect(result).toMatchObject({ code: 2, stdout: '' })
  expect(result.stderr).toMatch(/^error: /u)
})

test('every command shows an example', async () => {
  for (const command of commands) expect((await run(command, '--help')).stdout, command).toMatch(new RegExp(`Examples?:\\n {2}ringside hardware ${command} `, 'u'))
})

test('show tells what there is and what waits, set changes it, discard takes back what waits', async () => {
  expect((await run('show', 'web-01')).stdout).toMatch(/^Memory +2,048 MiB$/mu)
  expect((await run('show', 'web-01', '--properties')).stdout).toMatch(/^cdroms\.\*\.image +Disc +text +yes$/mu)
  expect((await run('set', 'web-01', 'memoryMiB=4096', '--plan')).stdout).toMatch(/^Memory: 2,048 MiB → 4,096 MiB \(at the next start: .*\)$/mu)
  expect((await run('show', 'web-01', '--json')).json).toMatchObject({ next: null, hardware: { memoryMiB: 2048 } })
  expect((await run('set', 'web-01', 'memoryMiB=4096', 'nics.net0.linkUp=false')).stdout).toMatch(/^Network card “net0”: cable: Plugged in → Pulled out$/mu)
  expect((await run('show', 'web-01')).stdout).toMatch(/^Memory +2,048 MiB$[^]*^What waits:\nMemory: 2,048 MiB → 4,096 MiB \(at the next start: .*\)\n$/mu)
  expect((await run('show', 'web-01', '--json')).json).toMatchObject({ waiting: [{ path: 'memoryMiB', when: 'nextStart' }] })
  expect((await run('discard', 'web-01', '--json')).json).toMatchObject({ next: null })
  expect((await run('retry', 'web-01')).stdout).toBe('Nothing waits for “web-01”.\n')
})

test('of a saved machine it is said what comes at once, when it goes on and after its next shut down', async () => {
  const [nic] = host.machines.get(fakeIds.saved).definition.nics
  const nics = [{ ...nic, linkUp: false }, { ...nic, id: 'net1', macAddress: '52:54:00:00:00:77', place: null }]
  const changes = ['set', 'research', 'memoryMiB=4096', `nics=${JSON.stringify(nics)}`]
  const told = (await run(...changes, '--plan')).stdout
  expect(told).toMatch(/^Memory: .* \(after its next shut down: .*after the machine’s next shut down\.\)$/mu)
  expect(told).toMatch(/^Network card “net0”: cable: Plugged in → Pulled out$/mu)
  expect(told).toMatch(/^Network card “net1”: .* \(when it goes on\)$/mu)
  expect(told).not.toContain('next start')
  await run(...changes)
  const shown = (await run('show', 'research')).stdout
  expect(shown).toMatch(/^What waits:\nMemory: .* \(after its next shut down: [^]*\(when it goes on\)$/mu)
  expect(shown).not.toContain('next start')
})

test('reset-uefi names what goes, asks, and gives a machine that is off new variables beside the old ones', async () => {
  expect(await run('reset-uefi', 'windows-11')).toMatchObject({ code: 2 })
  const done = await run('reset-uefi', 'windows-11', '--yes')
  expect(done).toMatchObject({ code: 0, stdout: 'UEFI variables: As they are → New\n', stderr: expect.stringMatching(/boot entries.*kept as firmware\/nvram\.qcow2/u) as string })
  expect(host.machines.get(fakeIds.stopped).definition.firmware).toMatchObject({ secureBoot: true, nvram: expect.stringMatching(/^firmware\/nvram-[0-9a-f]{8}\.qcow2$/u) as string })
  expect(await run('reset-uefi', 'web-01', '--yes')).toMatchObject({ code: 5, stderr: expect.stringContaining('in use while the machine runs') as string })
  expect((await run('reset-uefi', 'old-database', '--yes')).stderr).toContain('starts with a BIOS')
})

test('all faults of a change are told at once: 5', async () => {
  const { code, error } = await run('set', 'windows-11', 'memoryMiB=0', 'clock=noon', '--json')
  expect(code).toBe(5)
  expect(error).toMatchObject({ code: 'INVALID_INPUT', data: { issues: [{ path: 'memoryMiB' }, { path: 'clock' }] } })
})

test('a plan tells all faults, and ends as making the change would', async () => {
  const told = await run('set', 'windows-11', 'memoryMiB=0', 'clock=noon', '--plan')
  expect(told).toMatchObject({ code: 5, stderr: '' })
  expect(told.stdout).toMatch(/^Fault: memoryMiB: .*\nFault: clock: .*\n$/u)
  const asJson = await run('set', 'windows-11', 'memoryMiB=0', 'clock=noon', '--plan', '--json')
  expect(asJson).toMatchObject({ code: 5, json: { issues: [{ path: 'memoryMiB' }, { path: 'clock' }] } })
  const tooMuch = ['set', 'windows-11', 'memoryMiB=9999999']
  expect((await run(...tooMuch, '--plan')).code).toBe((await run(...tooMuch)).code)
})

test('what the state of the machine forbids ends the plan as it ends the change, whatever else is wrong', async () => {
  await ringside('template', 'make', 'windows-11')
  for (const plan of [[], ['--plan']]) expect((await run('set', 'windows-11', 'memoryMiB=9999999', ...plan)).code).toBe(4)
})

test('discs, cables and disks change while the machine runs', async () => {
  expect((await run('cd', 'insert', 'web-01', '/isos/debian.iso', '--json')).json).toMatchObject({ definition: { cdroms: [{ image: { kind: 'external', path: '/isos/debian.iso' } }] }, next: null })
  expect((await run('cd', 'eject', 'web-01', '--json')).json).toMatchObject({ definition: { cdroms: [{ image: null }] } })
  expect((await run('link', 'down', 'web-01', '--json')).json).toMatchObject({ definition: { nics: [{ linkUp: false }] } })
  expect((await run('link', 'up', 'web-01', '--card', 'net7')).code).toBe(3)
  expect((await run('disk', 'add', 'web-01', '--new', '40G', '--json')).json).toMatchObject({ disk: { id: 'disk1', bus: 'virtio-blk' }, next: null })
  expect((await run('disk', 'remove', 'web-01', 'disk1', '--trash')).stdout).toMatch(/disk1/u)
  expect(host.machines.get(fakeIds.running).definition.disks).toHaveLength(1)
})

test('the balloon is set and told of', async () => {
  expect((await run('balloon', 'web-01', '1G')).stdout).toMatch(/^Memory left by the balloon: All → 1,024 MiB/mu)
  expect((await run('balloon', 'web-01', '--json')).json).toMatchObject({ targetMiB: 1024 })
  expect((await run('balloon', 'web-01', 'all', '--json')).json).toMatchObject({ differences: [{ path: 'memory.targetMiB' }] })
  expect((await run('balloon', 'windows-11')).stdout).toMatch(/^Left by the balloon +all of it$/mu)
})

test('what the computer has is listed, given and taken back', async () => {
  expect((await run('usb', 'list')).stdout).toMatch(/046d:c52b +Logitech USB Receiver +1-4\.2/u)
  expect((await run('usb', 'attach', 'windows-11', '046d:C52B', '--port', '--json')).json).toMatchObject({ device: { vendorId: '046d', productId: 'c52b', name: 'Logitech USB Receiver', port: '1-4.2' } })
  expect((await run('usb', 'detach', 'windows-11', '046d:c52b')).code).toBe(0)
  expect((await run('pci', 'list')).stdout).toMatch(/0000:01:00\.0 +15 +VGA compatible controller: NVIDIA/u)
  expect((await run('pci', 'attach', 'windows-11', '01:00.0', '--json')).json).toMatchObject({ device: { address: '0000:01:00.0' }, warnings: [expect.any(String), expect.any(String)] })
  expect((await run('pci', 'detach', 'windows-11', '0000:01:00.0')).code).toBe(0)
  expect((await run('folder', 'add', 'windows-11', '/srv/music', '--json')).json).toMatchObject({ folder: { tag: 'music', path: '/srv/music', readOnly: true, driver: 'auto' }, mount: expect.stringContaining('mount -t virtiofs -o ro music /mnt') as string })
  expect((await run('folder', 'remove', 'windows-11', 'music')).code).toBe(0)
  expect((await run('usb', 'detach', 'windows-11', '046d:c52b')).code).not.toBe(0)
})

test('history lists earlier forms, revert goes back to one', async () => {
  expect((await run('history', 'windows-11')).stdout).toMatch(/not been changed/u)
  await run('set', 'windows-11', 'memoryMiB=4096')
  const { json } = await run('history', 'windows-11', '--json')
  expect(json).toMatchObject({ versions: [{ differences: [{ path: 'memoryMiB', then: '8,192 MiB', now: '4,096 MiB' }] }] })
  const [version] = (json as { versions: { id: string }[] }).versions
  await run('revert', 'windows-11', version?.id ?? '')
  expect(host.machines.get(fakeIds.stopped).definition.memoryMiB).toBe(8192)
})

test('a preset is told before it is made; what an installed system may not survive is only done by name', async () => {
  const told = await run('preset', 'web-01', '--os', 'windows-11', '--plan')
  expect(told.stdout).toMatch(/^Clock: UTC → Local time \(at the next start: .*\)$/mu)
  expect(told.stdout).toMatch(/^ {2}clock: Windows takes the hardware clock for local time\.$/mu)
  expect(told.stdout).toMatch(/^ {2}disks\.disk0\.bus = sata: VirtIO is faster/mu)
  expect(host.machines.get(fakeIds.running).next).toBeNull()
  expect((await run('preset', 'web-01', '--os', 'windows-11', '--json')).json).toMatchObject({ osId: 'windows-11', next: { osId: 'windows-11', clock: 'localtime', disks: [{ bus: 'virtio-blk' }] }, left: [{ path: 'disks.disk0.bus' }, { path: 'nics.net0.model' }] })
  await run('preset', 'web-01', '--only', 'disks.disk0.bus')
  expect(host.machines.get(fakeIds.running).next).toMatchObject({ disks: [{ bus: 'sata' }], nics: [{ model: 'virtio-net' }] })
  expect((await run('preset', 'web-01', '--os', 'beos')).code).toBe(3)
  await run('preset', 'web-01', '--os', 'debian', '--all')
  expect((await run('preset', 'web-01')).stdout).toBe('Nothing is different.\n')
})

test('the command line of the next start is told, and how it differs from the last one', async () => {
  expect((await run('command', 'web-01')).stdout).toMatch(/^-m 2048$/mu)
  expect((await run('command', 'web-01', '--diff')).stdout).toMatch(/^The same as at the last start/u)
  await run('set', 'web-01', 'memoryMiB=4096')
  expect((await run('command', 'web-01', '--diff')).stdout).toMatch(/^Since the last start \(.*\):\n- -m 2048\n\+ -m 4096\n$/u)
  expect((await run('command', 'web-01', '--diff', '--json')).json).toMatchObject({ difference: expect.arrayContaining([{ kind: 'added', words: ['-m', '4096'] }]) as unknown })
})
