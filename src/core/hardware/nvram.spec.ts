import { expect, test } from 'vitest'
import { freshNvram, MachineDefinition } from '@shared/model'
import { isFirstNvram } from '../library'
import { desktop } from '../engine/qemu/argv/argv.fixture'
import { planChange } from './apply'
import { hardwareOf, inPresentLayers } from './hardware'
import { nvramIssues, withNvramPlace, withOwnNvram } from './nvram'

const uefi = (secureBoot: boolean, nvram = 'firmware/nvram.qcow2') => MachineDefinition.parse({ ...desktop, firmware: { type: 'uefi', secureBoot, nvram } })

test('Secure Boot switched on or off begins with other variables, in a store that is made where it is missing', () => {
  const wanted = withOwnNvram(hardwareOf(uefi(true)), uefi(false))
  expect(wanted.firmware).toMatchObject({ nvram: freshNvram })
  const placed = withNvramPlace(wanted)
  expect(placed.firmware).toMatchObject({ secureBoot: true, nvram: expect.stringMatching(/^firmware\/nvram-[0-9a-f]{8}\.qcow2$/u) as string })
  expect(placed.firmware.type === 'uefi' && isFirstNvram(placed.firmware.nvram)).toBe(true)
  expect(isFirstNvram('firmware/nvram.12345678.qcow2')).toBe(false)
  expect(withOwnNvram(hardwareOf(uefi(true)), uefi(true))).toEqual(hardwareOf(uefi(true)))
})

test('an editor that was opened before a snapshot goes on with the layer on top, and never with the store below it', () => {
  const opened = hardwareOf(uefi(true, 'firmware/nvram-aaaaaaaa.qcow2'))
  expect(inPresentLayers(opened, uefi(true, 'firmware/nvram.12345678.qcow2')).firmware).toMatchObject({ nvram: 'firmware/nvram.12345678.qcow2' })
})

test('what goes is named, a machine that runs is left alone, and variables that begin anew are told of', () => {
  const wanted = withOwnNvram(hardwareOf(uefi(true)), uefi(false))
  expect(nvramIssues(wanted, uefi(false), null)).toMatchObject([{ severity: 'warning', path: 'firmware.secureBoot', message: expect.stringMatching(/boot entries.*not signed.*firmware\/nvram\.qcow2/u) as string }])
  expect(nvramIssues(wanted, uefi(false), uefi(false))).toMatchObject([{ severity: 'error' }])
  expect(nvramIssues(hardwareOf(uefi(false)), uefi(false), null)).toEqual([])
  expect(planChange(null, uefi(false), hardwareOf(uefi(false, freshNvram))).differences).toMatchObject([{ path: 'firmware.nvram', now: 'New' }])
})
