import { chmod, mkdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createProbe } from '@core/engine/qemu'
import type { ProbeReport, Settings } from '@shared/model'
import { fixedSettings } from './support/engine-plan'
import { TemporaryFolder } from './support/temporary-folder'

let folder: TemporaryFolder
let real: ProbeReport
beforeAll(async () => {
  folder = await TemporaryFolder.make('rs-probe-')
  real = await probe('cache')
})
afterAll(() => folder[Symbol.asyncDispose]())

/** RINGSIDE_QEMU, with which the tests may be run, would have its way over a setting. */
const settingDecides = { ...process.env, RINGSIDE_QEMU: undefined }

async function probe(cache: string, options: { path?: string; environment?: NodeJS.ProcessEnv } = {}): Promise<ProbeReport> {
  using made = createProbe({ cacheFolder: folder.in(cache), settings: fixedSettings(options.path ?? null), environment: options.environment ?? (options.path === undefined ? process.env : settingDecides) })
  return await made.current()
}

/** A folder with a `qemu-system-x86_64` of the test's own making, and a `qemu-img`. */
async function fakeQemu(name: string, script: string): Promise<string> {
  const path = folder.in(name)
  await mkdir(path, { recursive: true })
  await writeFile(join(path, 'qemu-system-x86_64'), `#!/bin/sh\n${script}\n`)
  await writeFile(join(path, 'qemu-img'), '#!/bin/sh\n')
  for (const file of ['qemu-system-x86_64', 'qemu-img']) await chmod(join(path, file), 0o755)
  return path
}

test('the real program tells its machines, processors, devices and features', () => {
  expect(real.qemuProblem).toBeNull()
  const { qemu } = real
  expect(qemu?.version).toMatch(/^\d+\.\d+\.\d+$/u)
  expect(qemu?.machineTypes.find((type) => type.alias === 'q35')?.name).toMatch(/^pc-q35-/u)
  expect(qemu?.cpuModels.map((model) => model.name)).toEqual(expect.arrayContaining(['max', 'qemu64']))
  expect(qemu?.devices).toEqual(expect.arrayContaining(['virtio-blk-pci', 'e1000e', 'VGA', 'virtserialport']))
  expect(qemu?.builtInAccelerators).toContain('tcg')
  expect(qemu?.features).toMatchObject({ jsonDevices: true, backgroundSnapshot: true })
})

test('software emulation is proved by its guest; another system\'s accelerators are named as such', () => {
  expect(real.accelerators.map((report) => report.name)).toEqual(['kvm', 'hvf', 'whpx', 'tcg'])
  expect(real.accelerators.find((report) => report.name === 'tcg')).toMatchObject({ works: true, reason: 'ok' })
  expect(real.accelerators.find((report) => report.name === 'whpx')).toMatchObject({ works: false, reason: 'wrong-system' })
  for (const report of real.accelerators) expect(report.works).toBe(report.selfTestMs !== null)
  expect(real.bestAccelerator).not.toBeNull()
})

test('answers are kept, and asked again when the file is another', async () => {
  const path = await fakeQemu('wrapped', `echo called >> ${folder.in('calls')}\nexec "${real.qemu?.systemPath ?? ''}" "$@"`)
  const calls = async (): Promise<number> => (await readFile(folder.in('calls'), 'utf8')).split('\n').length - 1
  const first = await probe('wrapped-cache', { path })
  expect(first.qemu?.systemPath).toBe(join(path, 'qemu-system-x86_64'))
  const asked = await calls()
  expect(await probe('wrapped-cache', { path })).toMatchObject({ qemu: first.qemu, accelerators: first.accelerators })
  expect(await calls()).toBe(asked)
  await utimes(join(path, 'qemu-system-x86_64'), 1, 1)
  await probe('wrapped-cache', { path })
  expect(await calls()).toBeGreaterThan(asked)
})

test('a damaged cache is as good as none', async () => {
  await writeFile(join(folder.in('cache'), 'qemu-probe.json'), '{"schemaVersion": 1, "key"')
  expect((await probe('cache')).qemu?.version).toBe(real.qemu?.version)
})

test('no QEMU at all: what was searched and how to install it', async () => {
  const report = await probe('none', { path: folder.in('nowhere') })
  expect(report).toMatchObject({ qemu: null, bestAccelerator: null, qemuProblem: { code: 'QEMU_NOT_FOUND', searched: [folder.in('nowhere')] } })
  expect(report.qemuProblem?.message).toContain(folder.in('nowhere'))
  expect(report.qemuProblem?.remedy).toContain('Install QEMU')
  expect(report.accelerators.every((accelerator) => !accelerator.works)).toBe(true)
  const named = await probe('none', { environment: { RINGSIDE_QEMU: '/nowhere' } })
  expect(named.qemuProblem?.message).toContain('RINGSIDE_QEMU')
})

test('a QEMU that is too old: what it lacks, by asking it', async () => {
  const version = '{"qemu": {"micro": 0, "minor": 11, "major": 2}, "package": ""}'
  const answers = ['{}', version, '[]', '[]', '[]', '[]', '[]'].map((value, index) => `read -r line; echo '{"return": ${value}, "id": "r${String(index + 1)}"}'`)
  const script = [
    'case "$*" in *accel*help*) echo heading; echo tcg; exit 0;; esac',
    `echo '{"QMP": {"version": ${version}, "capabilities": []}}'`,
    ...answers,
  ]
  const path = await fakeQemu('old', script.join('\n'))
  const report = await probe('old-cache', { path })
  expect(report).toMatchObject({ qemu: null, qemuProblem: { code: 'QEMU_TOO_OLD', remedy: 'Install QEMU 6.2 or later, or choose another QEMU in the settings.' } })
  expect(report.qemuProblem?.message).toMatch(/^QEMU 2\.11\.0 is too old, it lacks the q35 machine, devices described in JSON, the QMP command “blockdev-add” and 6 more things that Ringside needs: .*\/qemu-system-x86_64$/u)
})

test('a program that is no QEMU is said to not work, with its words', async () => {
  const path = await fakeQemu('broken', 'echo "cannot load libfoo.so" >&2\nexit 127')
  const report = await probe('broken-cache', { path })
  expect(report).toMatchObject({ qemu: null, qemuProblem: { code: 'QEMU_FAILED' } })
  expect(report.qemuProblem?.message).toContain('cannot load libfoo.so')
})

test('another path in the settings is probed at once, and everybody is told', async () => {
  const changed: ((settings: Settings) => void)[] = []
  let path: string | null = null
  const settings = { get: (): Settings => ({ schemaVersion: 1, qemuPath: path, onQuit: 'ask', storageFolders: [] }), onChange: (listener: (value: Settings) => void) => { changed.push(listener); return () => undefined } }
  using made = createProbe({ cacheFolder: folder.in('cache'), settings, environment: settingDecides })
  expect((await made.current()).qemu).not.toBeNull()
  const told = new Promise<ProbeReport>((resolve) => { made.onChange(resolve) })
  path = folder.in('nowhere')
  for (const listener of changed) listener(settings.get())
  expect((await told).qemu).toBeNull()
  expect((await made.current()).qemu).toBeNull()
})
