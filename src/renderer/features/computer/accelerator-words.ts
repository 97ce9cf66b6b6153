import type { AcceleratorName, ProbeReport } from '@shared/model'

export const acceleratorNames: Readonly<Record<AcceleratorName, string>> = {
  kvm: 'KVM', hvf: 'Hypervisor.framework', whpx: 'Windows Hypervisor Platform', tcg: 'Software emulation (TCG)',
}

/** The report in one line and one sentence. */
export function headlineOf(probe: ProbeReport): { title: string; text: string; good: boolean } {
  if (!probe.qemu) return { title: 'No machine can run yet', text: 'QEMU is what runs them, and no usable one was found on this computer.', good: false }
  if (probe.bestAccelerator === null) return { title: 'No accelerator works', text: 'A self-test guest ran on none of them. Each says below what it lacks.', good: false }
  if (probe.bestAccelerator === 'tcg') {
    return { title: 'Machines run under software emulation', text: 'Everything works, but guests are many times slower than with hardware virtualization. What that lacks here is below.', good: false }
  }
  return { title: 'Machines run at full speed', text: `Hardware virtualization works through ${acceleratorNames[probe.bestAccelerator]}: a guest has just proved it.`, good: true }
}
