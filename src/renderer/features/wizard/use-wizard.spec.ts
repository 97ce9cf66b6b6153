import { effectScope } from 'vue'
import { afterEach, expect, test, vi } from 'vitest'
import { RingsideError, type Issue } from '@shared/errors'
import type { HostInfo, ImageReport, Job, OsCatalog, OsEntry } from '@shared/model'
import { useWizard, type Wizard, type WizardHost } from './use-wizard.composable'

const entry = (id: string, name: string, change: Partial<OsEntry['defaults']> = {}, minimum: Partial<OsEntry['minimum']> = {}): OsEntry => ({
  id,
  name,
  family: 'linux',
  volumeIds: [],
  defaults: {
    processors: 4, memoryMiB: 4096, diskGiB: 30, firmware: 'uefi', secureBoot: false, tpm: false, diskBus: 'virtio-blk', nicModel: 'virtio-net', display: 'virtio-vga', clock: 'utc',
    pointer: 'tablet', sound: null, usbController: 'xhci', guestAgent: true, clipboard: true, randomNumbers: true, balloon: true, ...change,
  },
  minimum: { processors: 1, memoryMiB: 512, diskGiB: 10, ...minimum },
})
const catalog: OsCatalog = { schemaVersion: 1, entries: [entry('debian12', 'Debian 12'), entry('win11', 'Windows 11', { memoryMiB: 8192 }, { memoryMiB: 6000 }), entry('other', 'Other')] }
const computer = { logicalProcessors: 2, memoryMiB: 8000, freeMemoryMiB: 6500, libraryFreeBytes: 100 * 2 ** 30 } as HostInfo
const iso: ImageReport = {
  path: '/iso/debian.iso', kind: 'iso', actualBytes: 1, virtualBytes: 1, format: 'raw', volumeId: 'Debian 12', bootable: { bios: true, uefi: true }, osId: 'debian12', issues: [],
}
const job = { id: 'j', state: 'running' } as Job

const scopes: { stop(): void }[] = []
afterEach(() => {
  for (const scope of scopes.splice(0)) scope.stop()
  vi.useRealTimers()
})

function wizard(change: Partial<WizardHost> = {}, takenNames: string[] = []): Wizard {
  vi.useFakeTimers()
  const scope = effectScope()
  scopes.push(scope)
  const host: WizardHost = { inspect: () => Promise.resolve(iso), check: () => Promise.resolve([]), create: () => Promise.resolve(job), ...change }
  const made = scope.run(() => useWizard(host, { catalog, host: computer, takenNames }))
  if (!made) throw new Error('The scope was stopped.')
  return made
}

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(300)
}

test('an untouched wizard scolds no field, yet cannot create', () => {
  const it = wizard()
  expect(it.faultsOf('source.path')).toEqual([])
  expect(it.errors.value.map((issue) => issue.path)).toEqual(['source.path', 'osId'])
  expect(it.canCreate.value).toBe(false)
  expect(it.isDirty.value).toBe(false)
})

test('a recognised ISO brings its system, sizes within this computer, and a name', async () => {
  const it = wizard()
  it.set('filePath', '/iso/debian.iso')
  expect(it.looking.value).toBe(true)
  await settle()
  expect(it.form).toMatchObject({ fileUse: 'cdrom', osId: 'debian12', processors: 2, memoryMiB: 4000, diskGiB: 30, withDisk: true, name: 'Debian 12' })
  expect(it.canCreate.value).toBe(true)
})

test('the minimum of a system wins over half of the memory', () => {
  const it = wizard()
  it.set('osId', 'win11')
  expect(it.form.memoryMiB).toBe(6000)
})

test('what a person typed stays when the system changes, and Back keeps it', () => {
  const it = wizard()
  it.set('memoryMiB', 1024)
  it.set('name', 'mine')
  it.set('osId', 'debian12')
  it.goTo('resources')
  it.back()
  expect(it.form).toMatchObject({ memoryMiB: 1024, name: 'mine', processors: 2 })
  expect(it.step.value).toBe('system')
})

test('a disk image turns the source into a disk, wants no second disk, and is converted unless it is qcow2', async () => {
  const it = wizard({ inspect: () => Promise.resolve({ ...iso, kind: 'disk', format: 'vmdk', osId: null }) })
  it.set('filePath', '/d/a.vmdk')
  await settle()
  expect(it.request.value.source).toEqual({ type: 'disk', path: '/d/a.vmdk', format: 'vmdk', mode: 'convert' })
  expect(it.request.value.newDiskGiB).toBeNull()
})

test('a file that the image is based on is used once it was accepted, to convert the two, and is forgotten with the image', async () => {
  const image: ImageReport = { ...iso, kind: 'disk', format: 'qcow2', osId: null }
  const asked: (readonly string[])[] = []
  const it = wizard({
    inspect: (_path, accepted) => {
      asked.push([...accepted])
      return Promise.resolve(accepted.includes('/base') ? image : { ...image, unacceptedFile: '/base', issues: [{ path: '', message: 'Based on /base.', severity: 'error' }] })
    },
  })
  it.set('filePath', '/d/a.qcow2')
  await settle()
  expect(it.errors.value.map(({ message }) => message)).toContain('Based on /base.')
  it.accept('/base')
  await settle()
  expect(it.errors.value.map(({ message }) => message)).not.toContain('Based on /base.')
  expect(it.request.value.source).toEqual({ type: 'disk', path: '/d/a.qcow2', format: 'qcow2', mode: 'convert', acceptedFiles: ['/base'] })
  it.set('filePath', '/d/b.qcow2')
  await settle()
  expect(asked).toEqual([[], ['/base'], []])
})

test('a suggested name avoids those in use, whatever their case', () => {
  const it = wizard({}, ['DEBIAN 12', 'Debian 12 2'])
  it.set('osId', 'debian12')
  expect(it.form.name).toBe('Debian 12 3')
})

test('all faults come at once, in words, each with its step', () => {
  const it = wizard({}, ['Web'])
  it.set('name', 'web')
  it.set('memoryMiB', Number.NaN)
  it.set('processors', 0)
  it.set('diskGiB', 500)
  const messages = it.faults.value.map((issue) => `${issue.severity} ${issue.path}: ${issue.message}`)
  expect(messages).toEqual([
    'error source.path: Choose a file.',
    'error osId: Choose an operating system.',
    'error processors: A machine needs at least one processor.',
    'error memoryMiB: Type an amount of memory in MiB, such as 2048.',
    'warning newDiskGiB: Only 100.0 GiB is free where the library lies; the disk grows as the guest writes and could fill it.',
    'error name: A machine named “web” exists already; choose another name.',
  ])
})

test('what the host makes of an empty number is said in plain words, once', async () => {
  const it = wizard({ check: () => Promise.resolve([{ path: 'memoryMiB', message: 'Invalid input: expected number, received null', severity: 'error' as const }]) })
  it.set('memoryMiB', Number.NaN)
  await settle()
  expect(it.faultsOf('memoryMiB').map((issue) => issue.message)).toEqual(['Type an amount of memory in MiB, such as 2048.'])
})

test('Next stays on a step with an error and hands that error back', () => {
  const it = wizard()
  expect(it.next()?.path).toBe('source.path')
  expect(it.step.value).toBe('source')
  expect(it.faultsOf('source.path')).toHaveLength(1)
  it.set('sourceType', 'blank')
  expect(it.next()).toBeNull()
  expect(it.step.value).toBe('system')
})

test('a file that cannot be read is a fault of its field, with the hint', async () => {
  const it = wizard({ inspect: () => Promise.reject(new RingsideError('FILE_NOT_FOUND', 'There is no file /x.iso.', { hint: 'Check the path.' })) })
  it.set('filePath', '/x.iso')
  await settle()
  expect(it.faultsOf('source.path')).toEqual([{ path: 'source.path', message: 'There is no file /x.iso. Check the path.', severity: 'error' }])
})

test('a packed RAM disk is no fault, a missing one is', async () => {
  const answers = { '/initrd.gz': new RingsideError('IMAGE_UNSUPPORTED', 'It is compressed with gzip'), '/gone': new RingsideError('FILE_NOT_FOUND', 'There is no file /gone') }
  const it = wizard({ inspect: (path) => Promise.reject(answers[path as keyof typeof answers]) })
  it.set('sourceType', 'kernel')
  it.set('kernelPath', '/gone')
  it.set('initrdPath', '/initrd.gz')
  await settle()
  expect(it.faultsOf('source.initrd')).toEqual([])
  expect(it.faultsOf('source.kernel').map((issue) => issue.message)).toEqual(['There is no file /gone.'])
})

test('an answer about a file that is no longer asked for is dropped', async () => {
  let answer: (report: ImageReport) => void = () => undefined
  const it = wizard({ inspect: (path) => (path === '/slow' ? new Promise((resolve) => (answer = resolve)) : Promise.resolve({ ...iso, osId: 'win11' })) })
  it.set('filePath', '/slow')
  await settle()
  it.set('filePath', '/fast')
  await settle()
  answer(iso)
  await settle()
  expect(it.form.osId).toBe('win11')
})

test('what the host says is shown, and dropped for a field that changes', async () => {
  const said: Issue = { path: 'name', message: 'Not this one.', severity: 'error' }
  const check = vi.fn(() => Promise.resolve([said]))
  const it = wizard({ check })
  it.set('name', 'a')
  await settle()
  expect(it.faultsOf('name')).toEqual([said])
  it.set('memoryMiB', 2000)
  expect(it.faultsOf('name')).toEqual([said])
  it.set('name', 'b')
  expect(it.faultsOf('name')).toEqual([])
  expect(check).toHaveBeenCalledTimes(1)
})

test('a refused creation leaves its error and its issues in place', async () => {
  const issue: Issue = { path: 'name', message: 'Taken meanwhile.', severity: 'error' }
  const it = wizard({ create: () => Promise.reject(new RingsideError('INVALID_INPUT', 'Taken meanwhile.', { issues: [issue] })) })
  it.set('sourceType', 'network')
  it.set('osId', 'other')
  await settle()
  expect(await it.create()).toBeNull()
  expect(it.submitError.value?.message).toBe('Taken meanwhile.')
  expect(it.faultsOf('name')).toEqual([issue])
})

test('an empty disk has to be there, a network boot needs a card', () => {
  const it = wizard()
  it.set('osId', 'other')
  it.set('sourceType', 'blank')
  it.set('withDisk', false)
  expect(it.errors.value.map((issue) => issue.path)).toEqual(['newDiskGiB'])
  it.set('sourceType', 'network')
  it.set('network', 'none')
  expect(it.errors.value.map((issue) => issue.path)).toEqual(['network'])
})

test('hardware overrides that are cleared are left out of the request', () => {
  const it = wizard()
  it.set('hardware', { firmware: 'bios', display: undefined })
  expect(it.request.value.hardware).toEqual({ firmware: 'bios' })
})
