import { MachineHardware, OsCatalog, waitingNote, type MachineView } from '@shared/model'
import { EditorView } from '@codemirror/view'
import { expect, test, vi } from 'vitest'
import { computed } from 'vue'
import content from '../../../../resources/os-catalog.json'
import { useHostStore } from '../../stores/host.store'
import { useMachinesStore } from '../../stores/machines.store'
import { pendingConfirm } from '../../ui/confirm'
import { useNotices } from '../../ui/notices'
import { bar, cd, change, click, difference, discardPending, find, nic, now, opened, plan, press, removeDisk, router, row, select, settle, stopped, type, useHardwarePage } from './hardware-page.fixture'

useHardwarePage()

test('an edit is planned, gathered, undone and applied on what it was made on', async () => {
  await opened()
  await select('memory')
  await type('field-memoryMiB', '2 GiB')
  expect(plan.mock.lastCall?.[0].hardware.memoryMiB).toBe(2048)
  expect(bar()).toContain('1 change')
  await click('undo')
  expect(find<HTMLInputElement>('field-memoryMiB').value).toBe('1024')
  await click('redo')
  await click('apply')
  expect(change.mock.lastCall?.[0]).toMatchObject({ hardware: { memoryMiB: 2048 }, basedOn: { memoryMiB: 1024 } })
  expect(bar()).toContain('Nothing to apply')
  await press('z', { ctrlKey: true }, find('hardware'))
  expect(find<HTMLInputElement>('field-memoryMiB').value).toBe('1024')
})

test('faults stand beside their field and all together, and hold the edits back', async () => {
  plan.mockResolvedValue({ differences: [], waiting: [], issues: [{ path: 'nics.0.macAddress', message: 'Another has it.', severity: 'error' }] })
  await opened()
  await select('memory')
  await type('field-memoryMiB', 'much')
  expect(find('fault-summary').textContent).toContain('Type a number.')
  expect(document.querySelector('[data-property="memoryMiB"]')?.textContent).toContain('Type a number.')
  expect(find('fault-summary').textContent.replaceAll(/\s+/gu, ' ')).toContain('Network card, nics.*.macAddress: Another has it.')
  await type('field-memoryMiB', '512')
  expect(find('fault-summary').textContent).toContain('Network card, nics.*.macAddress: Another has it.')
  await click('apply')
  expect(change).not.toHaveBeenCalled()
})

test('what is typed and is no number is a fault, also where nothing may be typed', async () => {
  await opened()
  await select('memory')
  await type('field-memory.maximumMiB', 'lots')
  expect(find('fault-summary').textContent).toContain('Type a number.')
  await type('field-memory.maximumMiB', '')
  expect(document.querySelector('[data-testid="fault-summary"]')).toBeNull()
  await select('disks.disk0')
  await type('limit-bytesPerSecond', 'few')
  expect(document.querySelector('[data-property="disks.disk0.limits"]')?.textContent).toContain('Type a number.')
  await type('limit-bytesPerSecond', '1.5')
  expect(plan.mock.lastCall?.[0].hardware.disks[0]?.limits?.bytesPerSecond).toBe(1_500_000)
})

test('what can’t be had here is disabled with its reason', async () => {
  await opened()
  await select('memory')
  expect(find<HTMLButtonElement>('field-memory.hugePages').disabled).toBe(true)
  expect(document.querySelector('[data-property="memory.hugePages"]')?.textContent).toContain('There are no huge pages here.')
})

test('what a search found is folded by itself, and the next search shows all again', async () => {
  await opened()
  await type('hardware-search', 'network card')
  row('nics')?.focus()
  await press('ArrowLeft')
  expect([row('nics.net0'), row('nics')?.getAttribute('aria-expanded')]).toEqual([null, 'false'])
  await type('hardware-search', 'network')
  expect(row('nics.net0')).not.toBeNull()
  await type('hardware-search', '')
  expect(row('nics')?.getAttribute('aria-expanded')).toBe('true')
})

test('devices are added, moved and taken out from the keyboard', async () => {
  await opened()
  await select('nics')
  Array.from(document.querySelectorAll<HTMLButtonElement>('[data-testid="device-pane"] button')).find((button) => button.textContent.trim() === 'Add')?.click()
  await settle()
  expect(row('nics.net1')?.getAttribute('aria-selected')).toBe('true')
  await press('ArrowUp', { altKey: true }, row('nics.net1'))
  expect(Array.from(document.querySelectorAll('[data-id^="nics."]')).map((each) => each.getAttribute('data-id'))).toEqual(['nics.net1', 'nics.net0'])
  await press('Delete', {}, row('nics.net1'))
  expect([row('nics.net1'), row('nics.net0')?.getAttribute('aria-selected')]).toEqual([null, 'true'])
  await press('Delete', {}, row('nics.net0'))
  expect([row('nics.net0'), row('nics')?.getAttribute('aria-selected')]).toEqual([null, 'true'])
  await press('Delete', {}, row('disks.disk0'))
  expect(find('remove-disk').textContent).toContain('disks/disk0.qcow2')
  find('disk-file-trash').dispatchEvent(new Event('change', { bubbles: true }))
  await settle()
  find('remove-disk').dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }))
  await settle()
  expect(removeDisk).toHaveBeenCalledWith({ id: stopped.id, diskId: 'disk0', file: 'trash' })
})

test('a disc is ejected at once, and what is edited besides stays an edit', async () => {
  await opened()
  await select('memory')
  await type('field-memoryMiB', '2048')
  await select('cdroms.cd0')
  await click('eject-cdroms.cd0.image')
  expect(change.mock.lastCall?.[0].hardware).toMatchObject({ memoryMiB: 1024, cdroms: [{ image: null }] })
  expect(row('cdroms.cd0')?.textContent).toContain('Empty')
  expect(bar()).toContain('1 change')
})

test('a disc that the guest keeps locked is taken out by force, after a question', async () => {
  const running: MachineView = { ...stopped, state: 'running' }
  await opened({ ...running, next: MachineHardware.parse({ ...stopped.definition, cdroms: [{ ...cd, image: null }] }) })
  await select('cdroms.cd0')
  await click('force-cdroms.cd0.image')
  expect(pendingConfirm.value?.question).toMatchObject({ title: 'Take the disc out by force?', dangerous: true })
  pendingConfirm.value?.answer({ confirmed: false, checked: false })
  await settle()
  expect(change).not.toHaveBeenCalled()
  await click('force-cdroms.cd0.image')
  pendingConfirm.value?.answer({ confirmed: true, checked: false })
  await settle()
  expect(change.mock.lastCall?.[0]).toMatchObject({ hardware: { cdroms: [{ image: null }] }, forceDiscs: true })
})

test('the boot order is changed with its buttons', async () => {
  await opened()
  await select('firmware')
  document.querySelector<HTMLButtonElement>('[data-boot="cd0"] [data-move="up"]')?.click()
  await settle()
  expect(plan.mock.lastCall?.[0].hardware.boot.order).toEqual(['cd0', 'disk0'])
})

test('what waits for the next start is shown with both values and taken back by itself or all at once', async () => {
  const running: MachineView = { ...stopped, state: 'running' }
  await opened({ ...running, next: MachineHardware.parse({ ...stopped.definition, memoryMiB: 4096, cdroms: [] }) })
  await select('memory')
  expect(find('pending-memoryMiB').textContent.replaceAll(/\s+/gu, ' ')).toContain('Now 1 GiB → at the next start 4 GiB')
  expect(row('cdroms.cd0')?.textContent).toContain('goes')
  find('pending-memoryMiB').querySelector('button')?.click()
  await settle()
  expect(change.mock.lastCall?.[0].hardware).toMatchObject({ memoryMiB: 1024, cdroms: [] })
  expect(find('pending-strip').textContent).toContain('1 change waits')
  find('pending-strip').querySelector<HTMLElement>('button:last-of-type')?.click()
  await settle()
  expect([discardPending.mock.calls.length, document.querySelector('[data-testid="pending-strip"]')]).toEqual([1, null])
})

test('while it runs, what is at once and what is not is told before', async () => {
  plan.mockResolvedValue({ differences: [difference('memoryMiB', 'nextStart'), difference('a', 'now'), difference('b', 'now')], waiting: [], issues: [] })
  await opened({ ...stopped, state: 'running' })
  await select('memory')
  await type('field-memoryMiB', '2048')
  expect(bar()).toContain('3 changes: 2 at once, 1 at the next start')
  await click('review')
  expect(document.querySelector('[role=dialog]')?.textContent).toContain('Next start')
})

test('a guest that keeps what it was asked for is told of at once, and where that waits', async () => {
  const reason = 'The guest does not let go of “net0”.'
  plan.mockResolvedValue({ differences: [difference('nics.net0', 'now')], waiting: [], issues: [] })
  change.mockImplementation(({ hardware }) => Promise.resolve({ machine: { ...now(), next: hardware }, differences: [{ ...difference('nics.net0', 'nextStart'), reason }] }))
  await opened({ ...stopped, state: 'running' })
  await press('Delete', {}, row('nics.net0'))
  await click('apply')
  expect(useNotices().notices.value.at(-1)).toMatchObject({ title: '1 change waits for the next start', text: reason })
  await select('nics.net0')
  expect(find('device-pane').textContent).toContain(reason)
})

test('what the guest is asked for is told as long as that takes', async () => {
  const asked: MachineView = { ...stopped, state: 'running', task: 'hardware', run: { startedAt: '', accelerator: 'tcg', acceleratorNote: null, qemuPid: 1, workerPid: 1, qemuVersion: '7.2', notes: [waitingNote(['“net0”'])], disposable: false }, next: MachineHardware.parse({ ...stopped.definition, nics: [] }) }
  await opened(asked)
  expect(bar()).toContain('Waiting for the guest to let go of “net0”')
  useMachinesStore().put({ ...asked, task: null })
  await settle()
  expect(bar()).not.toContain('Waiting for the guest')
})

test('why something waits is known when the page is opened again, and all that waits is listed', async () => {
  const reason = 'The guest was asked to let go of it, and has not.'
  plan.mockResolvedValue({ differences: [], waiting: [{ ...difference('nics.net0', 'nextStart'), reason }], issues: [] })
  await opened({ ...stopped, state: 'running', next: MachineHardware.parse({ ...stopped.definition, nics: [] }) })
  await select('nics.net0')
  expect(find('device-pane').textContent).toContain(reason)
  await click('show-waiting')
  expect([find('waiting-hardware').textContent, document.activeElement?.textContent]).toEqual([expect.stringContaining(reason), 'Close'])
  await press('Escape')
  await click('retry-waiting')
  expect(change.mock.lastCall?.[0]).toMatchObject({ again: true, hardware: { nics: [] }, basedOn: { nics: [] } })
  await click('show-waiting')
  find('waiting-hardware').dispatchEvent(new Event('submit', { cancelable: true }))
  await settle()
  expect([discardPending.mock.calls.length, document.querySelector('[data-testid="pending-strip"]')]).toEqual([1, null])
})

test('the focus stays on the page when what had it is gone', async () => {
  await opened()
  await select('memory')
  await type('field-memoryMiB', '2048')
  const takeBack = document.querySelector<HTMLElement>('[data-property="memoryMiB"] [aria-label^="Take back"]')
  takeBack?.focus()
  takeBack?.click()
  await settle()
  expect(document.activeElement?.closest('[data-property="memoryMiB"]')).not.toBeNull()
  await type('field-memoryMiB', '2048')
  find('discard').focus()
  await click('discard')
  expect(document.activeElement).toBe(row('memory'))
})

test('of a saved machine it is told what comes when it goes on, and what only after its next shut down', async () => {
  plan.mockResolvedValue({ differences: [difference('memoryMiB', 'nextStart'), difference('a', 'goesOn'), difference('b', 'now')], waiting: [difference('nics.net0', 'goesOn'), difference('nics.net1', 'goesOn'), difference('memoryMiB', 'nextStart')], issues: [] })
  await opened({ ...stopped, state: 'saved', next: MachineHardware.parse({ ...stopped.definition, memoryMiB: 4096, nics: [{ ...nic, id: 'net1' }] }) })
  expect(find('pending-strip').textContent).toContain('Saved: 2 changes come when it goes on, 1 after its next shut down')
  await select('nics.net1')
  expect(find('device-pane').textContent).toContain('The guest gets it when it goes on.')
  await select('nics.net0')
  expect(find('device-pane').textContent).toContain('until it goes on')
  await select('memory')
  expect(find('pending-memoryMiB').textContent.replaceAll(/\s+/gu, ' ')).toContain('→ after its next shut down 4 GiB')
  await type('field-memoryMiB', '2048')
  expect(bar()).toContain('3 changes: 1 at once, 1 when it goes on, 1 after its next shut down')
  await click('review')
  expect(document.querySelector('[role=dialog]')?.textContent).toContain('When it goes on')
})

test('a template can be looked at and not changed, with the reason', async () => {
  await opened({ ...stopped, definition: { ...stopped.definition, template: true } })
  expect(find('hardware-fixed').textContent).toContain('template')
  expect(find<HTMLButtonElement>('add-device').disabled).toBe(true)
  await press('Delete', {}, row('nics.net0'))
  expect([row('nics.net0') !== null, useNotices().notices.value.at(-1)?.title.includes('template')]).toEqual([true, true])
})

test('the text is an edit when it can be read, and keeps its faults by line when not; what is typed is taken back by itself', async () => {
  await opened()
  const show = async (): Promise<EditorView> => {
    await click('hardware-view-text')
    await vi.dynamicImportSettled()
    await settle()
    const found = EditorView.findFromDOM(find('definition-area'))
    if (!found) throw new Error('There is no editor.')
    return found
  }
  const view = await show()
  const replace = async (words: string, by: string): Promise<void> => {
    const from = view.state.doc.toString().indexOf(words)
    view.dispatch({ changes: { from, to: from + words.length, insert: by }, selection: { anchor: from } })
    await settle()
  }
  await replace('"memoryMiB": 1024', '"memoryMiB": 2048')
  expect(plan.mock.lastCall?.[0].hardware.memoryMiB).toBe(2048)
  expect(find('definition-about').textContent).toContain('Help of memoryMiB')
  await replace('"memoryMiB": 2048', '"memoryMiB": ')
  expect(find('definition-text').textContent).toMatch(/Line \d+/u)
  expect(find('definition-area').getAttribute('aria-invalid')).toBe('true')
  await click('hardware-view-command')
  expect(find('hardware-argv').textContent).toContain('-m 64M')
  const kept = await show()
  expect(kept.state.doc.toString()).toContain('"memoryMiB": ,')
  // Others change the machine: what is being written stays, nothing is applied past it, and it can be dropped.
  useMachinesStore().put({ ...stopped, definition: { ...stopped.definition, serialPorts: 3 } })
  await settle()
  expect([kept.state.doc.toString().includes('"memoryMiB": ,'), bar()]).toEqual([true, expect.stringContaining('The text can’t be read yet')])
  await click('apply')
  expect(change).not.toHaveBeenCalled()
  await click('discard')
  expect([kept.state.doc.toString(), bar()]).toEqual([expect.stringContaining('"serialPorts": 3'), expect.stringContaining('Nothing to apply')])
})

test('what the host has against what is written stands at its line', async () => {
  plan.mockResolvedValue({ differences: [], waiting: [], issues: [{ path: 'nics.0.macAddress', message: 'Another has it.', severity: 'error' }] })
  await opened()
  await select('memory')
  await type('field-memoryMiB', '2048')
  await click('hardware-view-text')
  await vi.dynamicImportSettled()
  await settle()
  const line = EditorView.findFromDOM(find('definition-area'))?.state.doc.toString().split('\n').findIndex((each) => each.includes('macAddress')) ?? -2
  expect(find('definition-text').textContent).toContain(`Line ${String(line + 1)}nics.net0.macAddressAnother has it.`)
})

test('what the system needs is said beside its field, and done with one click that can be undone', async () => {
  useHostStore().catalog = OsCatalog.parse(content)
  await opened({ ...stopped, definition: { ...stopped.definition, osId: 'windows-10', sound: { model: 'ich9-intel-hda' } } })
  await select('system')
  expect(find('suggestion-clock').textContent).toContain('Windows takes the hardware clock for local time.')
  find('suggestion-clock').querySelector('button')?.click()
  await settle()
  expect(plan.mock.lastCall?.[0].hardware.clock).toBe('localtime')
  expect(document.querySelector('[data-testid="suggestion-clock"]')).toBeNull()
  await click('undo')
  expect(find('suggestion-clock')).toBeTruthy()
})

test('a preset shows every difference, leaves what an installed system may not survive to be chosen, and is one edit', async () => {
  useHostStore().catalog = OsCatalog.parse(content)
  await opened({ ...stopped, definition: { ...stopped.definition, osId: 'windows-10' } })
  await click('preset-open')
  const boxes = (): [string, boolean][] => Array.from(document.querySelectorAll('[data-testid^="preset-"][role=checkbox]')).map((each) => [(each.getAttribute('data-testid') ?? '').slice('preset-'.length), each.getAttribute('aria-checked') === 'true'])
  expect(boxes()).toEqual(expect.arrayContaining([['clock', true], ['sound', true], ['disks.disk0.bus', false], ['nics.net0.model', false]]))
  await click('preset-disks.disk0.bus')
  expect(plan.mock.lastCall?.[0].hardware).toMatchObject({ clock: 'localtime', disks: [{ bus: 'sata', image: { path: 'disks/disk0.qcow2' } }], nics: [{ model: 'virtio-net', macAddress: nic.macAddress }] })
  find('preset').dispatchEvent(new Event('submit', { bubbles: true, cancelable: true }))
  await settle()
  expect(bar()).toMatch(/\d change/u)
  await click('undo')
  expect(bar()).toContain('Nothing to apply')
})

test('a search shows what it found', async () => {
  await opened()
  const field = document.querySelector<HTMLInputElement>('[data-pane="bar"] input')
  if (!field) throw new Error('There is no search.')
  field.value = 'a.iso'
  field.dispatchEvent(new Event('input', { bubbles: true }))
  await settle()
  expect(Array.from(document.querySelectorAll('[role=treeitem]')).map((each) => each.getAttribute('data-id'))).toEqual(['cdroms', 'cdroms.cd0'])
  expect(row('cdroms.cd0')?.getAttribute('aria-selected')).toBe('true')
})

test('leaving with edits is asked about, staying keeps them', async () => {
  await opened()
  await select('memory')
  await type('field-memoryMiB', '2048')
  const asked = computed(() => pendingConfirm.value)
  const leaving = router.push('/')
  await settle()
  expect(asked.value?.question.title).toBe('Leave without applying?')
  asked.value?.answer({ confirmed: false, checked: false })
  await leaving
  expect([router.currentRoute.value.path, find<HTMLInputElement>('field-memoryMiB').value]).toEqual([`/machines/${stopped.id}/hardware`, '2048'])
})

test('UEFI variables are reset after a question that names the old store, and never while the machine runs', async () => {
  const uefi = { firmware: { type: 'uefi' as const, secureBoot: false, nvram: 'firmware/nvram.qcow2' } }
  await opened({ ...stopped, definition: { ...stopped.definition, ...uefi } })
  await select('firmware')
  await click('reset-nvram')
  expect(pendingConfirm.value?.question.keeps?.[0]).toEqual({ text: 'firmware/nvram.qcow2', detail: 'left over, until you delete it' })
  pendingConfirm.value?.answer({ confirmed: true, checked: false })
  await settle()
  expect(change.mock.calls[0]?.[0].hardware.firmware).toEqual({ ...uefi.firmware, nvram: 'firmware/new.qcow2' })
  useMachinesStore().put({ ...now(), state: 'running' })
  await settle()
  expect(find('reset-nvram').getAttribute('aria-description')).toContain('in use by the guest')
})
