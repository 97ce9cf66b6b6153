import { RingsideError } from '@shared/errors'
import type { AcceleratorName, AcceleratorReport, ProbeReport } from '@shared/model'

/**
 * Which accelerator a machine runs on, of those that are proved to work.
 * `note` says why it runs without hardware assistance where that was not asked for.
 * Throws `ACCELERATOR_UNAVAILABLE` for one that was named and does not work.
 */
export function chooseAccelerator(wanted: AcceleratorName | 'auto', probe: ProbeReport): { accelerator: AcceleratorName; note: string | null } {
  if (wanted !== 'auto') {
    const report = probe.accelerators.find((accelerator) => accelerator.name === wanted)
    if (report?.works === true) return { accelerator: wanted, note: null }
    throw new RingsideError('ACCELERATOR_UNAVAILABLE', `The machine wants ${wanted.toUpperCase()}, which does not work here: ${report?.message ?? 'this QEMU does not have it.'}`, {
      hint: report?.remedy ?? 'See “This computer” for what works here, or set the machine’s accelerator to automatic.',
    })
  }
  const { bestAccelerator } = probe
  if (bestAccelerator === null) {
    throw new RingsideError('ACCELERATOR_UNAVAILABLE', 'No accelerator works here, not even emulation in software.', {
      hint: probe.accelerators.find((accelerator) => accelerator.remedy !== null)?.remedy ?? 'See “This computer” for what was tried; reinstalling QEMU is the usual remedy.',
    })
  }
  if (bestAccelerator !== 'tcg') return { accelerator: bestAccelerator, note: null }
  const hardware = probe.accelerators.find(isNearMiss)
  return { accelerator: 'tcg', note: `Running without hardware assistance, which is slow: ${hardware?.message ?? 'none is available on this computer.'}` }
}

/** Hardware assistance of this system that could have been: the one whose reason tells people something. */
function isNearMiss(report: AcceleratorReport): boolean {
  return report.name !== 'tcg' && !report.works && report.reason !== 'wrong-system' && report.reason !== 'not-built-in'
}
