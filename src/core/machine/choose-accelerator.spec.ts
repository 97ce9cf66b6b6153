import { expect, test } from 'vitest'
import type { AcceleratorReport, ProbeReport } from '@shared/model'
import { chooseAccelerator } from './choose-accelerator'

const kvm: AcceleratorReport = { name: 'kvm', works: false, selfTestMs: null, reason: 'no-permission', message: 'You may not open /dev/kvm.', remedy: 'Run: sudo usermod -aG kvm me', detail: '' }
const tcg: AcceleratorReport = { name: 'tcg', works: true, selfTestMs: 300, reason: 'ok', message: 'It works.', remedy: null, detail: '' }
const hvf: AcceleratorReport = { name: 'hvf', works: false, selfTestMs: null, reason: 'wrong-system', message: 'Only on macOS.', remedy: null, detail: '' }

function probe(accelerators: AcceleratorReport[], bestAccelerator: ProbeReport['bestAccelerator']): ProbeReport {
  return { probedAt: '', qemu: null, qemuProblem: null, accelerators, bestAccelerator }
}

test('automatic means the best, with the reason when that is software', () => {
  expect(chooseAccelerator('auto', probe([{ ...kvm, works: true }, tcg], 'kvm'))).toEqual({ accelerator: 'kvm', note: null })
  expect(chooseAccelerator('auto', probe([hvf, kvm, tcg], 'tcg'))).toEqual({ accelerator: 'tcg', note: 'Running without hardware assistance, which is slow: You may not open /dev/kvm.' })
  expect(chooseAccelerator('auto', probe([hvf, tcg], 'tcg')).note).toContain('none is available')
})

test('software that was asked for by name needs no excuse', () => {
  expect(chooseAccelerator('tcg', probe([kvm, tcg], 'tcg'))).toEqual({ accelerator: 'tcg', note: null })
})

test('one that does not work is refused with reason and remedy', () => {
  expect(() => chooseAccelerator('kvm', probe([kvm, tcg], 'tcg'))).toThrow(expect.objectContaining({ code: 'ACCELERATOR_UNAVAILABLE', message: expect.stringContaining('You may not open /dev/kvm.') as string, data: { hint: kvm.remedy } }))
  expect(() => chooseAccelerator('whpx', probe([tcg], 'tcg'))).toThrow(expect.objectContaining({ code: 'ACCELERATOR_UNAVAILABLE' }))
  expect(() => chooseAccelerator('auto', probe([{ ...tcg, works: false, remedy: 'Reinstall QEMU.' }], null))).toThrow(expect.objectContaining({ data: { hint: 'Reinstall QEMU.' } }))
})
