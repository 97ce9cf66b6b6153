import type { AcceleratorName } from '@shared/model'

/** Why no processor can be put into a machine that runs, a sentence; null: it can. */
export function plugProcessorObstacle(accelerator: AcceleratorName): string | null {
  // Its partition is told the number of processors once [target/i386/whpx/whpx-all.c: WHvPartitionPropertyCodeProcessorCount].
  return accelerator === 'whpx' ? 'Windows Hypervisor Platform gives a machine its processors at the start.' : null
}

/** Why a processor that was put in can't be taken out of a machine that runs, a sentence; null: the guest is asked for it. */
export function unplugProcessorObstacle(accelerator: AcceleratorName): string | null {
  switch (accelerator) {
    case 'kvm':
      return null
    case 'tcg':
      return 'With software emulation QEMU crashes when a processor is taken out of a running machine.'
    case 'hvf':
    case 'whpx':
      return 'Only with KVM is a processor taken out of a running machine.'
  }
}
