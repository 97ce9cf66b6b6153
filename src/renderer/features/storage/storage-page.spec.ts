import App from '@nuxt/ui/components/App.vue'
import ui from '@nuxt/ui/vue-plugin'
import { RingsideError } from '@shared/errors'
import { DiskWorkKind, type DiskWork, type ImageReport, type SmallestSize, type StorageImage, type StorageOverview } from '@shared/model'
import { enableAutoUnmount, flushPromises, mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { defineComponent, h, type Component } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import { useConnectionStore } from '../../stores/connection.store'
import { useJobsStore } from '../../stores/jobs.store'
import { aJob } from '../../stores/spec-data'
import { replaceClient, type Client } from '../../transport/client'
import { pendingUnlock } from '../../ui/unlock'
import StoragePage from './StoragePage.vue'

enableAutoUnmount(afterEach)

const GiB = 2 ** 30
const free = Object.fromEntries(DiskWorkKind.options.map((kind) => [kind, null])) as StorageImage['obstacles']
const image = (name: string, changes: Partial<StorageImage> = {}): StorageImage => ({
  path: `/images/${name}`, name, owner: null, format: 'qcow2', encrypted: false, virtualBytes: GiB, actualBytes: GiB, below: null, readers: [], users: [], fault: null, check: null, obstacles: free, ...changes,
})
const place = { kind: 'images' as const, path: '/images', removable: false, capacityBytes: 100 * GiB, freeBytes: 50 * GiB, imageBytes: GiB, fault: null }
const shown = (images: StorageImage[]): StorageOverview => ({ places: [place], images, orphans: [] })

const overview = vi.fn<() => Promise<StorageOverview>>()
const planWork = vi.fn()
const smallestSize = vi.fn<(asked: { path: string }) => Promise<SmallestSize>>()
const inspect = vi.fn<(asked: { path: string; acceptedFiles?: string[] }) => Promise<Partial<ImageReport>>>()
const addPlace = vi.fn()
const forgetPlace = vi.fn()
const encryption = vi.fn()
const setPassphrase = vi.fn()
const work = vi.fn<(work: DiskWork) => Promise<unknown>>()
let restore: () => void

beforeEach(() => {
  setActivePinia(createPinia())
  vi.spyOn(useConnectionStore(), 'isOpen', 'get').mockReturnValue(true)
  overview.mockReset()
  encryption.mockReset()
  setPassphrase.mockReset().mockResolvedValue({})
  planWork.mockReset().mockResolvedValue({ title: 'x', steps: ['It is done.'], neededBytes: GiB, freeBytes: 2 * GiB, issues: [] })
  work.mockReset().mockResolvedValue(aJob(1, { kind: 'disk.check', title: 'Checking b.qcow2' }))
  restore = replaceClient({ storage: { overview, smallestSize, planWork, work, addPlace, forgetPlace, inspect }, encryption: { state: encryption, setPassphrase } } as unknown as Client)
})
afterEach(() => { restore() })

let router: ReturnType<typeof createRouter>
async function open(at = '/'): Promise<void> {
  router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/:any(.*)*', component: { render: () => null } }] })
  await router.push(at)
  mount(defineComponent({ render: () => h(App as Component, null, { default: () => h(StoragePage as Component) }) }), { attachTo: document.body, global: { plugins: [ui, router] } })
  await flushPromises()
}
const rows = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>('[data-testid=storage-image]')]
const names = (): string[] => rows().map((row) => row.querySelector('td span')?.textContent ?? '')
const button = (label: string): HTMLButtonElement => {
  const found = [...document.querySelectorAll('button')].find((one) => one.textContent.trim() === label)
  if (!found) throw new Error(`No button “${label}”`)
  return found
}
async function press(key: string): Promise<void> {
  document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
  await flushPromises()
}

test('the largest comes first; a click on a column sorts by it, another one the other way round', async () => {
  overview.mockResolvedValue(shown([image('a.qcow2', { actualBytes: 1 }), image('c.qcow2', { actualBytes: 3 }), image('b.qcow2', { actualBytes: 2 })]))
  await open()
  expect(names()).toEqual(['c.qcow2', 'b.qcow2', 'a.qcow2'])
  button('Image').click()
  await flushPromises()
  expect(names()).toEqual(['a.qcow2', 'b.qcow2', 'c.qcow2'])
  button('Image').click()
  await flushPromises()
  expect(names()).toEqual(['c.qcow2', 'b.qcow2', 'a.qcow2'])
  expect(document.querySelector('th[aria-sort]')?.getAttribute('aria-sort')).toBe('descending')
})

test('the table is one Tab stop, and the arrows show one image after the other', async () => {
  overview.mockResolvedValue(shown([image('a.qcow2', { actualBytes: 2 }), image('b.qcow2', { actualBytes: 1 })]))
  await open()
  expect(rows().map((row) => row.tabIndex)).toEqual([0, -1])
  rows()[0]?.focus()
  await press('ArrowDown')
  expect(document.querySelector('[data-testid=storage-details] h2')?.textContent).toBe('b.qcow2')
  expect(document.activeElement).toBe(rows()[1])
  await press('Home')
  expect(document.activeElement).toBe(rows()[0])
})

test('what can’t be done says why; what can be done tells what will happen, and is a job', async () => {
  overview.mockResolvedValue(shown([image('b.qcow2', { obstacles: { ...free, compact: '“web” is running and has it open. Shut it down first.' } })]))
  await open()
  expect(button('Compact…').getAttribute('aria-description')).toContain('“web” is running')
  button('Compact…').click()
  await flushPromises()
  expect(document.querySelector('[data-testid=storage-work]')).toBeNull()
  button('Check').click()
  await flushPromises()
  const form = document.querySelector('[data-testid=storage-work]')
  expect(form?.textContent).toContain('It is done.')
  expect(form?.textContent).toContain('1 GiB needed, 2 GiB free')
  document.querySelector<HTMLElement>('[data-dialog-go]')?.click()
  await flushPromises()
  expect(work).toHaveBeenCalledWith({ kind: 'check', path: '/images/b.qcow2' })
  useJobsStore().put(aJob(1, { kind: 'disk.check', title: 'Checking b.qcow2', state: 'succeeded', notes: ['It is sound.'] }))
  await flushPromises()
  expect(document.querySelector('[data-testid=storage-outcome]')?.textContent).toContain('It is sound.')
  expect(overview).toHaveBeenCalledTimes(2)
})

test('how small a disk can get is looked at without holding anybody up, told, and taken with a click', async () => {
  let answer: (found: SmallestSize) => void = () => undefined
  smallestSize.mockReturnValue(new Promise((resolve) => { answer = resolve }))
  overview.mockResolvedValue(shown([image('b.qcow2', { virtualBytes: 10 * GiB })]))
  await open()
  button('Shrink…').click()
  await flushPromises()
  const told = (): string => document.querySelector('[data-testid=storage-smallest]')?.textContent ?? ''
  expect(told()).toContain('Looking how small it can get…')
  expect(document.querySelector('[data-testid=storage-work]')?.textContent).toContain('It is done.')
  // Rounded up, since less would be refused.
  answer({ sizeBytes: 3 * GiB + 1024, why: 'Its partitions reach as far as that.' })
  await flushPromises()
  expect(told()).toContain('It can become as small as 3.01 GiB. Its partitions reach as far as that.')
  document.querySelector<HTMLElement>('[data-testid=storage-use-smallest]')?.click()
  await flushPromises()
  expect(document.querySelector<HTMLInputElement>('[data-testid=storage-size]')?.value).toBe('3.01')
})

test('why it is not known how small a disk can get is said where its size is asked for', async () => {
  smallestSize.mockResolvedValue({ sizeBytes: null, why: 'Its partition table can’t be understood.' })
  overview.mockResolvedValue(shown([image('b.qcow2', { virtualBytes: 10 * GiB })]))
  await open()
  button('Shrink…').click()
  await flushPromises()
  expect(document.querySelector('[data-testid=storage-smallest]')?.textContent).toContain('can’t be understood')
  expect(document.querySelector('[data-testid=storage-use-smallest]')).toBeNull()
})

test('an image that is refused for the file that it is based on can be brought in right there', async () => {
  vi.useFakeTimers()
  try {
    overview.mockResolvedValue(shown([image('overlay.qcow2', { fault: 'is based on a file outside the library' })]))
    inspect.mockImplementation(({ path, acceptedFiles = [] }) => Promise.resolve({ path, format: 'qcow2', ...(acceptedFiles.includes('/base.raw') ? {} : { unacceptedFile: '/base.raw' }) }))
    await open()
    expect(document.querySelector('[data-testid=storage-stranger]')?.textContent).toContain('/base.raw')
    button('Bring it in…').click()
    await vi.advanceTimersByTimeAsync(1000)
    await flushPromises()
    expect(document.querySelector<HTMLInputElement>('[data-testid=bring-in-file]')?.value).toBe('/images/overlay.qcow2')
    button('I trust it: use this file too').click()
    await vi.advanceTimersByTimeAsync(1000)
    await flushPromises()
    document.querySelector<HTMLElement>('[data-dialog-go]')?.click()
    await flushPromises()
    expect(work).toHaveBeenCalledWith({ kind: 'convert', path: '/images/overlay.qcow2', to: '/images/overlay 2.qcow2', format: 'qcow2', acceptedFiles: ['/base.raw'] })
  } finally {
    vi.useRealTimers()
  }
})

test('an image that no acceptance can help has no such way', async () => {
  overview.mockResolvedValue(shown([image('broken.qcow2', { fault: 'is marked as corrupt' })]))
  inspect.mockResolvedValue({ format: 'qcow2' })
  await open()
  expect(document.querySelector('[data-testid=storage-details]')?.textContent).toContain('is marked as corrupt')
  expect(document.querySelector('[data-testid=storage-stranger]')).toBeNull()
})

test('a file from elsewhere is brought in once exactly the file that it is based on was accepted', async () => {
  overview.mockResolvedValue(shown([image('b.qcow2')]))
  inspect.mockImplementation(({ acceptedFiles = [] }) => Promise.resolve({ format: 'vmdk', ...(acceptedFiles.includes('/base.raw') ? {} : { unacceptedFile: '/base.raw' }) }))
  vi.useFakeTimers()
  try {
    await open()
    button('Bring in a file…').click()
    await flushPromises()
    const type = async (testid: string, text: string): Promise<void> => {
      const field = document.querySelector<HTMLInputElement>(`[data-testid=${testid}]`)
      if (field === null) throw new Error(`No field ${testid}`)
      field.value = text
      field.dispatchEvent(new Event('input', { bubbles: true }))
      await vi.advanceTimersByTimeAsync(1000)
      await flushPromises()
    }
    await type('bring-in-file', '/mnt/old/Server 2012.vmdk')
    expect(document.querySelector<HTMLInputElement>('[data-testid=bring-in-target]')?.value).toBe('/images/Server 2012.qcow2')
    expect(document.querySelector('[data-testid=bring-in-accept]')?.textContent).toContain('/base.raw')
    document.querySelector<HTMLElement>('[data-dialog-go]')?.click()
    await flushPromises()
    expect(work).not.toHaveBeenCalled()
    button('I trust it: use this file too').click()
    await vi.advanceTimersByTimeAsync(1000)
    await flushPromises()
    expect(document.querySelector('[data-testid=storage-bring-in]')?.textContent).toContain('VMDK, by its first bytes')
    document.querySelector<HTMLElement>('[data-dialog-go]')?.click()
    await flushPromises()
    expect(work).toHaveBeenCalledWith({ kind: 'convert', path: '/mnt/old/Server 2012.vmdk', to: '/images/Server 2012.qcow2', format: 'qcow2', acceptedFiles: ['/base.raw'] })
  } finally {
    vi.useRealTimers()
  }
})

test('an image that was encrypted elsewhere is brought in with its passphrase, which is sent once it is wanted only; encrypted unless somebody says plain', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    overview.mockResolvedValue(shown([image('b.qcow2')]))
    inspect.mockResolvedValue({ path: '/mnt/theirs.img', kind: 'disk', actualBytes: 1, virtualBytes: 1, format: 'raw', volumeId: null, bootable: null, osId: null, encryption: 'luks', issues: [{ path: '', message: 'It is encrypted.', severity: 'error', code: 'KEY_REQUIRED' }] })
    planWork.mockImplementation((asked: DiskWork) => Promise.resolve({ title: 'x', steps: [], neededBytes: 0, freeBytes: null, issues: asked.kind === 'convert' && asked.encryption !== undefined ? [] : [{ path: '', message: 'It is encrypted.', severity: 'error', code: 'KEY_REQUIRED' }] }))
    await open()
    button('Bring in a file…').click()
    await flushPromises()
    const dialog = (): string => document.querySelector('[data-testid=storage-bring-in]')?.textContent ?? ''
    const settle = async (): Promise<void> => {
      await vi.advanceTimersByTimeAsync(1000)
      await flushPromises()
    }
    const type = async (testid: string, text: string): Promise<void> => {
      const input = document.querySelector<HTMLInputElement>(`[data-testid=${testid}]`)
      if (input === null) throw new Error(`There is no ${testid} in ${dialog()}`)
      input.value = text
      input.dispatchEvent(new Event('input', { bubbles: true }))
      await settle()
    }
    const go = async (): Promise<void> => {
      document.querySelector<HTMLElement>('[data-dialog-go]')?.click()
      await flushPromises()
    }
    await type('bring-in-file', '/mnt/theirs.img')
    await settle()
    expect(dialog()).toContain('Passphrase of the image')
    expect(dialog()).not.toContain('It is encrypted. Give')
    await go()
    expect(work).not.toHaveBeenCalled()
    await type('bring-in-passphrase', 'their secret')
    work.mockRejectedValueOnce(new RingsideError('KEY_WRONG', 'This is not the passphrase of the image: /mnt/theirs.img', {}))
    await go()
    await settle()
    expect(dialog()).toContain('This is not the passphrase of the image')
    await type('bring-in-passphrase', 'their other secret')
    document.querySelector<HTMLElement>('[data-testid=bring-in-becomes-plain]')?.click()
    await settle()
    await go()
    const asked = { kind: 'convert', path: '/mnt/theirs.img', to: '/images/theirs.qcow2', format: 'qcow2' }
    expect(work.mock.calls.map(([sent]) => sent)).toEqual([{ ...asked, encryption: { passphrase: 'their secret', keep: true } }, { ...asked, encryption: { passphrase: 'their other secret', keep: false } }])
    expect(JSON.stringify(planWork.mock.calls)).not.toContain('secret')
  } finally {
    vi.useRealTimers()
  }
})

test('what the plan meets keeps it from being begun', async () => {
  overview.mockResolvedValue(shown([image('b.qcow2')]))
  planWork.mockResolvedValue({ title: 'x', steps: [], neededBytes: 0, freeBytes: null, issues: [{ path: '', message: 'There is a file of that name already.', severity: 'error' }] })
  await open()
  button('Copy…').click()
  await flushPromises()
  expect(document.querySelector('[data-testid=storage-work]')?.textContent).toContain('There is a file of that name already.')
  document.querySelector<HTMLElement>('[data-dialog-go]')?.click()
  await flushPromises()
  expect(work).not.toHaveBeenCalled()
})

test('layers stand in the picture of what is based on them, and in the list when they are asked for', async () => {
  overview.mockResolvedValue(shown([image('top.qcow2', { below: '/images/low.qcow2' }), image('low.qcow2', { readers: ['/images/top.qcow2'], actualBytes: 2 * GiB })]))
  await open()
  expect(names()).toEqual(['top.qcow2'])
  const layers = [...document.querySelectorAll('ol[aria-label="Layers, from the top"] button')]
  expect(layers.map((layer) => layer.querySelector('.font-mono')?.textContent)).toEqual(['top.qcow2', 'low.qcow2'])
  ;(layers[1] as HTMLElement).click()
  await flushPromises()
  expect(document.querySelector('[data-testid=storage-details] h2')?.textContent).toBe('low.qcow2')
})

test('nothing at all, nothing found, and a host that does not answer are told apart', async () => {
  overview.mockResolvedValueOnce(shown([])).mockRejectedValueOnce(new RingsideError('FILE_UNREADABLE', 'The library can’t be read: /l', {}))
  await open()
  expect(document.body.textContent).toContain('No images yet')
  useJobsStore().put(aJob(1))
  useJobsStore().put(aJob(1, { state: 'failed' }))
  await flushPromises()
  expect(document.querySelector('[role=alert]')?.textContent).toContain('The library can’t be read')
})

test('a folder is added, shown while it is away, and taken out again', async () => {
  const away: StorageOverview['places'][number] = { kind: 'added', path: '/media/stick', removable: null, capacityBytes: null, freeBytes: null, imageBytes: 0, fault: 'It is not there now.' }
  overview.mockResolvedValue(shown([image('a.qcow2')]))
  addPlace.mockRejectedValueOnce(new RingsideError('FILE_NOT_FOUND', 'There is no such file: /media/stik')).mockResolvedValue({ ...shown([image('a.qcow2')]), places: [place, away] })
  forgetPlace.mockResolvedValue(shown([image('a.qcow2')]))
  await open()
  button('Add a folder…').click()
  await vi.waitFor(() => { if (document.querySelector('[data-testid=storage-place-path]') === null) throw new Error('It is not drawn yet.') })
  const field = document.querySelector('[data-testid=storage-place-path]') as HTMLInputElement
  for (const [path, words] of [['/media/stik', 'There is no such file'], [' /media/stick ', 'It is not there now.']] as const) {
    field.value = path
    field.dispatchEvent(new Event('input'))
    await flushPromises()
    document.querySelector('[data-testid=storage-add-place]')?.dispatchEvent(new Event('submit', { cancelable: true }))
    await flushPromises()
    expect(document.body.textContent).toContain(words)
  }
  expect(addPlace).toHaveBeenLastCalledWith({ path: '/media/stick' })
  document.querySelector<HTMLElement>('[aria-label="Take out of the list"]')?.click()
  await flushPromises()
  expect(forgetPlace).toHaveBeenCalledWith({ path: '/media/stick' })
  expect(document.body.textContent).not.toContain('It is not there now.')
})

test('a disk moves to a folder, or back into its machine; a link from elsewhere asks at once', async () => {
  const user = { machineId: '00000000-0000-4000-8000-000000000001', machineName: 'web', state: 'running' as const, how: 'present' as const, snapshotName: null, diskId: 'disk0', direct: true }
  overview.mockResolvedValue(shown([image('a.qcow2', { owner: { id: user.machineId, name: 'web' } }), image('b.qcow2', { users: [user] })]))
  await open(`/storage?machine=${user.machineId}&disk=disk0&work=move`)
  const form = (): Element | null => document.querySelector('[data-testid=storage-work]')
  expect(form()?.textContent).toContain('Into the machine’s own folder')
  expect(router.currentRoute.value.fullPath).toBe('/storage')
  document.querySelector<HTMLElement>('[data-dialog-go]')?.click()
  await flushPromises()
  expect(work).toHaveBeenCalledWith({ kind: 'move', path: '/images/b.qcow2', to: null })
  await vi.waitFor(() => { expect(form()).toBeNull() })
  rows()[0]?.click()
  await flushPromises()
  button('Move…').click()
  await flushPromises()
  expect(form()?.textContent).not.toContain('Into the machine')
  const folder = document.querySelector<HTMLInputElement>('[data-testid=storage-folder] input, input[data-testid=storage-folder]')
  expect(folder?.value).toBe('/images')
})

test('a disk of a machine without a passphrase is encrypted with one that is made for it', async () => {
  const user = { machineId: '00000000-0000-4000-8000-000000000001', machineName: 'web', state: 'stopped' as const, how: 'present' as const, snapshotName: null, diskId: 'disk0', direct: true }
  overview.mockResolvedValue(shown([image('a.qcow2', { users: [user] })]))
  encryption.mockResolvedValue({ diskIds: [], hasKey: false, unlocked: false, remembered: false, keychain: { available: false, reason: 'There is no keychain.' }, obstacle: null })
  planWork.mockResolvedValue({ title: 'x', steps: ['It is written anew.'], neededBytes: 0, freeBytes: null, issues: [{ path: '', message: '“web” has no passphrase yet.', severity: 'error', code: 'NOT_FOUND' }] })
  await open()
  button('Encrypt…').click()
  await flushPromises()
  const form = document.querySelector('[data-testid=storage-work]')
  const go = async (): Promise<void> => {
    document.querySelector<HTMLElement>('[data-dialog-go]')?.click()
    await flushPromises()
  }
  expect(form?.textContent).toMatch(/Passphrase of “web”.*Only this passphrase opens the disks.*The old, unencrypted file.*To the trash.*It is written anew\./u)
  expect(form?.textContent).not.toContain('has no passphrase yet')
  await go()
  expect(work).not.toHaveBeenCalled()
  for (const name of ['storage-passphrase', 'storage-again']) {
    const field = document.querySelector(`[data-testid=${name}]`) as HTMLInputElement
    field.value = 'mountain river candle'
    field.dispatchEvent(new Event('input'))
  }
  await flushPromises()
  await go()
  expect(setPassphrase).toHaveBeenCalledWith({ id: user.machineId, passphrase: 'mountain river candle', remember: false })
  expect(work).toHaveBeenCalledWith({ kind: 'encrypt', path: '/images/a.qcow2', original: 'trash' })
})

test('work on a disk that is locked offers to unlock it', async () => {
  overview.mockResolvedValue(shown([image('a.qcow2', { encrypted: true, owner: { id: '00000000-0000-4000-8000-000000000001', name: 'web' } })]))
  planWork.mockResolvedValueOnce({ title: 'x', steps: [], neededBytes: 0, freeBytes: null, issues: [{ path: '', message: 'Its passphrase is needed.', severity: 'error', code: 'KEY_REQUIRED' }] })
  await open()
  button('Check').click()
  await flushPromises()
  document.querySelector<HTMLElement>('[data-testid=storage-unlock]')?.click()
  expect(pendingUnlock.value?.machineId).toBe('00000000-0000-4000-8000-000000000001')
  pendingUnlock.value?.answer(true)
  await flushPromises()
  expect(document.querySelector('[data-testid=storage-work]')?.textContent).toContain('It is done.')
})
