import { RingsideError, type ErrorCode, type ProcessFailure } from '@shared/errors'
import type { AcceleratorName } from '@shared/model'

interface Rule {
  /** Over QEMU's last words. */
  pattern: RegExp
  code: ErrorCode
  message: (match: RegExpExecArray, context: FailureContext) => string
  hint: string
  /** Number of the group that holds a path. */
  path?: number
}

export interface FailureContext {
  machine: string
  accelerator: AcceleratorName
  /** It was to go on from memory. */
  restores: boolean
}

const unloadable = {
  message: () => 'The saved state can\'t be loaded: it is damaged, or was made by another QEMU.',
  hint: 'Install the QEMU that saved it, or discard the saved state and start afresh: the disks are as they were when it was saved.',
}

const imagePath = /filename"?[:=] ?"([^"]+)"/u

/** QEMU says what went wrong in words only; these are its wordings, 6.2 to 10. The first that fits wins. */
const rules: readonly Rule[] = [
  {
    pattern: /Invalid password, cannot unlock any keyslot/u, code: 'KEY_WRONG',
    message: () => 'The machine’s disk key does not open one of its encrypted disks: it was encrypted with another one.',
    hint: 'Put back the disk image, and the file encryption.json beside it, that belong together.',
  },
  {
    pattern: /Failed to get (?:shared )?"[^"]+" lock(?:\s+Is another process using the image \[([^\]]+)\])?/u, code: 'DISK_IN_USE', path: 1,
    message: (match) => `A disk of the machine is in use by another program${match[1] === undefined ? '' : `: ${match[1]}`}.`,
    hint: 'Shut down the other machine or program that uses the disk, then start this one.',
  },
  {
    pattern: /Could not access KVM kernel module: (.+)|invalid accelerator \w+|kvm_\w+: Assertion [^\n]*|failed to set MSR[^\n]*|requires KVM or HVF|failed to initialize (?:kvm|hvf|whpx): ?(.*)|No accelerator found|HV_(?:UNSUPPORTED|DENIED|ERROR|NO_DEVICE)|WHPX: Failed|KVM[^\n]* (?:failed|not supported)|kvm_init_vcpu/iu, code: 'ACCELERATOR_UNAVAILABLE',
    message: (match, { accelerator }) => `QEMU can't use ${accelerator.toUpperCase()}: ${(match[1] ?? match[2] ?? '') || match[0]}`,
    hint: 'See the page “This computer” for the reason and the remedy, or choose another accelerator for the machine.',
  },
  {
    pattern: /(?:cannot set up guest memory|cannot allocate memory|can't allocate|os_mem_prealloc|failed to allocate)/iu, code: 'QEMU_FAILED',
    message: () => 'The computer has not enough free memory for the machine.',
    hint: 'Close other programs or machines, or give this machine less memory.',
  },
  {
    pattern: /failed to find romfile "([^"]+)"/u, code: 'QEMU_FAILED',
    message: (match) => `QEMU lacks the boot ROM “${match[1] ?? ''}”.`,
    hint: 'Install the boot ROMs for QEMU (package “ipxe-qemu” on Debian and Ubuntu, “ipxe-roms-qemu” on Fedora).',
  },
  {
    pattern: /Address already in use/u, code: 'PORT_IN_USE',
    message: () => 'An address that the machine listens on is in use.',
    hint: 'Shut down what uses it, then start the machine again.',
  },
  {
    pattern: /Could not (?:open|refresh) '([^']+)': No such file or directory|could not load (?:kernel|initrd) '([^']+)'/iu, code: 'FILE_NOT_FOUND', path: 1,
    message: (match) => `A file of the machine is missing: ${match[1] ?? match[2] ?? ''}.`,
    hint: 'Put the file back, or take the device that uses it out of the machine.',
  },
  {
    pattern: /Could not open '([^']+)': Permission denied/u, code: 'FILE_UNREADABLE', path: 1,
    message: (match) => `A file of the machine may not be opened: ${match[1] ?? ''}.`,
    hint: 'Change the permissions of the file so that you can read and write it.',
  },
  {
    pattern: /(?:not in qcow2 format|Could not read (?:qcow2|image)|is corrupt|L1 table|[Ii]mage is (?:truncated|too short)|Invalid (?:VMDK|VHDX|footer)|refcount table)[^\n]*/u, code: 'IMAGE_DAMAGED',
    message: (match) => `A disk image of the machine is damaged: ${match[0]}.`,
    hint: 'Restore the image from a backup, or repair it with “qemu-img check -r all”.',
  },
  {
    pattern: /load of migration failed|Not a migration stream|Unknown savevm section|Missing section footer|Unknown ramblock/u, code: 'QEMU_FAILED', ...unloadable,
  },
  {
    pattern: /egl: (?:no drm render node available|render node init failed|[^\n]*failed)|missing object type 'virtio-gpu-gl-device'/u, code: 'CAPABILITY_MISSING',
    message: () => 'QEMU can’t draw with this computer’s graphics processor, which the machine’s 3D acceleration needs.',
    hint: 'Update the drivers of the graphics processor, or switch 3D acceleration off in the machine’s display.',
  },
  {
    pattern: /No space left on device/u, code: 'DISK_FULL',
    message: () => 'The disk of the computer is full.',
    hint: 'Free some space, then try again.',
  },
  {
    pattern: /invalid kernel header|Error loading uncompressed kernel|linux kernel too old/iu, code: 'IMAGE_UNSUPPORTED',
    message: () => 'The kernel file is no Linux kernel for x86.',
    hint: 'Choose a bzImage (often named vmlinuz) or a kernel with a PVH entry.',
  },
]

/** A typed error from what is left of a QEMU process that should have gone on. */
export function classifyFailure(failure: ProcessFailure, context: FailureContext): RingsideError {
  const words = failure.stderrTail
  for (const rule of rules) {
    if (rule.code === 'ACCELERATOR_UNAVAILABLE' && context.accelerator === 'tcg') continue
    const match = rule.pattern.exec(words)
    if (match === null) continue
    const path = (rule.path === undefined ? undefined : match[rule.path]) ?? imagePath.exec(words)?.[1]
    return new RingsideError(rule.code, rule.message(match, context), { hint: rule.hint, process: failure, ...(path === undefined ? {} : { path }) })
  }
  // QEMU 10 crashes on memory that it can't make sense of.
  if (context.restores && failure.signal !== null) return new RingsideError('QEMU_FAILED', unloadable.message(), { hint: unloadable.hint, process: failure })
  return new RingsideError('QEMU_FAILED', `${context.machine}: ${howItEnded(failure)}`, {
    hint: 'The log of the machine has the whole of what QEMU said.', process: failure,
  })
}

/** A sentence on how the process ended, with its last line. */
export function howItEnded({ exitCode, signal, stderrTail }: ProcessFailure): string {
  const last = stderrTail.split('\n').at(-1) ?? ''
  const words = last === '' ? '' : ` Its last words: ${last.replace(/^\S*qemu-system-\S+: /u, '')}`
  if (signal !== null) return `QEMU was ended by ${signal}.${words}`
  if (exitCode === null) return `QEMU ended without a trace of why.${words}`
  return `QEMU ended with exit code ${String(exitCode)}.${words}`
}
