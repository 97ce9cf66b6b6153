import type { MachineHardware } from '@shared/model'
import { expect, test } from 'vitest'
import { useMachinesStore } from '../../stores/machines.store'
import { useNotices } from '../../ui/notices'
import { change, click, find, nic, now, opened, row, select, settle, stopped, type, useHardwarePage } from './hardware-page.fixture'

useHardwarePage()

test('edits go on while others change the machine', async () => {
  await opened()
  await select('memory')
  await type('field-memoryMiB', '2048')
  useMachinesStore().put({ ...stopped, definition: { ...stopped.definition, serialPorts: 3 } })
  await settle()
  expect([find<HTMLInputElement>('field-memoryMiB').value, row('serial')?.textContent.includes('3 serial ports')]).toEqual(['2048', true])
  await click('apply')
  expect(change.mock.lastCall?.[0]).toMatchObject({ hardware: { memoryMiB: 2048, serialPorts: 3 }, basedOn: { memoryMiB: 1024, serialPorts: 3 } })
})

/** As the host tells of what another window did. */
async function changedElsewhere(changes: Partial<MachineHardware>): Promise<void> {
  useMachinesStore().put({ ...now(), definition: { ...now().definition, ...changes } })
  await settle()
}

test('a value that was changed elsewhere under an edit is told with both, and nothing is applied before one of them is chosen', async () => {
  await opened()
  await select('memory')
  await type('field-memoryMiB', '2048')
  await changedElsewhere({ memoryMiB: 3072, serialPorts: 2 })
  expect(find('contested-memoryMiB').textContent).toMatch(/to 3 GiB; you have 2 GiB/u)
  expect(find('conflicts').textContent).toMatch(/1 value that you changed was changed elsewhere meanwhile/u)
  await click('apply')
  expect(change).not.toHaveBeenCalled()
  find('conflicts').querySelector<HTMLElement>('[data-keep-mine]')?.click()
  await settle()
  expect(document.querySelector('[data-testid=conflicts]')).toBeNull()
  expect(document.body.textContent).toContain('Was 3 GiB')
  await click('apply')
  expect(change.mock.lastCall?.[0]).toMatchObject({ hardware: { memoryMiB: 2048, serialPorts: 2 }, basedOn: { memoryMiB: 3072, serialPorts: 2 } })
})

test('the value from elsewhere is taken beside the field, and that is undone', async () => {
  await opened()
  await select('memory')
  await type('field-memoryMiB', '2048')
  await changedElsewhere({ memoryMiB: 3072 })
  const take = [...find('contested-memoryMiB').querySelectorAll('button')].find(({ textContent }) => textContent.includes('Take theirs'))
  take?.focus()
  take?.click()
  await settle()
  expect(find<HTMLInputElement>('field-memoryMiB').value).toBe('3072')
  expect(document.querySelector('[data-testid=conflicts]')).toBeNull()
  expect(document.activeElement?.closest('[data-property]')?.getAttribute('data-property')).toBe('memoryMiB')
  await click('undo')
  expect(find('contested-memoryMiB').textContent).toContain('you have 2 GiB')
})

test('a device that was taken out here and changed elsewhere is told by its name, and can be kept as it is there', async () => {
  await opened()
  await select('nics.net0')
  await click('remove-device')
  await changedElsewhere({ nics: [{ ...nic, linkUp: false }] })
  expect(find('conflict-nics.net0').textContent).toMatch(/Network card.*Keep mine: taken out.*Take theirs: the device as it is there/u)
  find('conflict-nics.net0').querySelector<HTMLElement>('[data-take-theirs]')?.click()
  await settle()
  expect(document.querySelector('[data-testid=conflicts]')).toBeNull()
  expect(row('nics.net0')?.textContent).toContain('cable pulled out')
})

test('that a device with edits was taken out elsewhere is told', async () => {
  await opened()
  await select('nics.net0')
  await type('field-nics.net0.macAddress', '52:54:00:12:34:57')
  await changedElsewhere({ nics: [] })
  expect(useNotices().notices.value.map(({ title }) => title)).toContain('Network card was taken out elsewhere')
  expect(document.querySelector('[data-testid=conflicts]')).toBeNull()
})

test('the same value from elsewhere, and another one elsewhere, are no conflict', async () => {
  await opened()
  await select('memory')
  await type('field-memoryMiB', '2048')
  await changedElsewhere({ memoryMiB: 2048, serialPorts: 2 })
  await changedElsewhere({ serialPorts: 3 })
  expect(document.querySelector('[data-testid=conflicts]')).toBeNull()
})

test('edits that another window was quicker than stay, and are told as changed elsewhere', async () => {
  await opened()
  await select('memory')
  await type('field-memoryMiB', '2048')
  change.mockImplementation(async () => {
    await changedElsewhere({ memoryMiB: 3072 })
    throw new Error('The hardware was changed by somebody else meanwhile.')
  })
  await click('apply')
  expect(find<HTMLInputElement>('field-memoryMiB').value).toBe('2048')
  expect(find('contested-memoryMiB').textContent).toMatch(/to 3 GiB; you have 2 GiB/u)
})
