import { processorCount, type AcceleratorName, type MachineDefinition } from '@shared/model'
import { isWindowsGuest } from './board'
import { option, options } from './options'

/**
 * Hyper-V interfaces that make Windows guests idle quietly and scale [docs/system/i386/hyperv]. Those that depend on the maker of the
 * host's processor (`hv-evmcs`, `hv-avic`) are left out: the guest should not notice on which host it runs.
 */
const enlightenments = [
  'hv-relaxed=on', 'hv-vapic=on', 'hv-spinlocks=0x1fff', 'hv-vpindex=on', 'hv-runtime=on', 'hv-time=on', 'hv-synic=on', 'hv-stimer=on',
  'hv-frequencies=on', 'hv-tlbflush=on', 'hv-ipi=on',
]

/** The CPU model that `auto` means. */
export function defaultCpuModel(accelerator: AcceleratorName): string {
  switch (accelerator) {
    case 'kvm':
    case 'hvf':
      return 'host'
    case 'whpx':
      // WHPX knows no `host`; most of what the guest reads by CPUID comes from the hypervisor whatever the model says.
      return 'qemu64'
    case 'tcg':
      return 'max'
  }
}

export function cpuArguments(definition: MachineDefinition, accelerator: AcceleratorName): string[] {
  const { model, sockets, cores, threads, features } = definition.processors
  const name = model === 'auto' ? defaultCpuModel(accelerator) : model
  // Only KVM emulates Hyper-V's interfaces for the guest.
  const hyperV = accelerator === 'kvm' && isWindowsGuest(definition) ? enlightenments : []
  const chosen = features.map((feature) => option(feature.slice(1), feature.startsWith('+')))
  const count = String(processorCount(definition.processors))
  return ['-cpu', options(name, ...hyperV, ...chosen), '-smp', `${count},sockets=${String(sockets)},cores=${String(cores)},threads=${String(threads)}`]
}

export function acceleratorArguments(accelerator: AcceleratorName): string[] {
  switch (accelerator) {
    case 'whpx':
      // With the hypervisor's own interrupt controller, MSI delivery fails in many guests: “whpx: injection failed” (QEMU issue 346).
      return ['-accel', 'whpx,kernel-irqchip=off']
    case 'kvm':
    case 'hvf':
    case 'tcg':
      return ['-accel', accelerator]
  }
}
