import { RingsideError } from '@shared/errors'
import { processorsAtStart, type AcceleratorName, type MachineDefinition } from '@shared/model'
import type { ArgumentList } from './argument-list'
import { isWindowsGuest } from './board'
import { json, option, options } from './options'

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
  const { features } = definition.processors
  const name = cpuModel(definition, accelerator)
  // Only KVM emulates Hyper-V's interfaces for the guest.
  const hyperV = accelerator === 'kvm' && isWindowsGuest(definition) ? enlightenments : []
  const chosen = features.map((feature) => option(feature.slice(1), feature.startsWith('+')))
  return ['-cpu', options(name, ...hyperV, ...chosen), '-smp', topology(definition.processors)]
}

/** The board has sockets for all that can ever be put in. */
function topology(processors: MachineDefinition['processors']): string {
  const { sockets, cores, threads, maximum } = processors
  const count = String(processorsAtStart(processors))
  if (maximum === null) return `${count},sockets=${String(sockets)},cores=${String(cores)},threads=${String(threads)}`
  const fault = maximumFault(processors)
  if (fault !== null) throw new RingsideError('INVALID_INPUT', fault)
  return `${count},sockets=${String(maximum / (cores * threads))},cores=${String(cores)},threads=${String(threads)},maxcpus=${String(maximum)}`
}

/**
 * Those that were put in while the machine ran are devices at its next start too, and no part of the number in `-smp`: by that one QEMU chooses how many queues virtio devices have
 * [hw/virtio/virtio-pci.c: virtio_pci_optimal_num_queues], and memory only loads into the same.
 */
export function addPluggedProcessors(list: ArgumentList, definition: MachineDefinition, accelerator: AcceleratorName): void {
  const { cores, threads, plugged } = definition.processors
  const start = processorsAtStart(definition.processors)
  for (let index = start; index < start + plugged; index += 1) {
    // Not counted among the devices that QEMU must have: every model is one.
    list.add('-device', json({
      driver: `${cpuModel(definition, accelerator)}-x86_64-cpu`, id: processorId(index), 'socket-id': Math.floor(index / (cores * threads)), 'core-id': Math.floor(index / threads) % cores, 'thread-id': index % threads,
    }))
  }
}

export function processorId(index: number): string {
  return `sys-processor${String(index)}`
}

function cpuModel({ processors: { model } }: MachineDefinition, accelerator: AcceleratorName): string {
  return model === 'auto' ? defaultCpuModel(accelerator) : model
}

/** What is wrong with the number of processors at most, a sentence; null: nothing. */
export function maximumFault(processors: MachineDefinition['processors']): string | null {
  const { cores, threads, maximum } = processors
  const socket = cores * threads
  if (maximum === null) return null
  if (maximum % socket !== 0) return `Processors are put in on further sockets: their number at most is a multiple of ${String(socket)}, as many as a socket has.`
  const start = processorsAtStart(processors)
  return maximum < start ? `The machine has ${String(start)} processors from its start, and may have ${String(maximum)} at most.` : null
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
