import { join } from 'node:path'
import { withProgram } from './guest-program'
import { linuxGuest, type LinuxGuest } from './guests'

/** What the agent needs, each under the names that it has in releases of Debian and Ubuntu. */
const packages = [
  ['qemu-guest-agent'], ['libc6'], ['libglib2.0-0t64', 'libglib2.0-0'], ['libpcre2-8-0', 'libpcre3'], ['libnuma1'], ['libudev1'], ['liburing2', 'liburing1'], ['libcap2'], ['libatomic1'], ['libgcc-s1'],
]

/** Debian's qemu-guest-agent, to be run in the Linux guest of the tests by the line of shell in `startAgent`. */
export async function agentGuest(folder: string): Promise<LinuxGuest> {
  return withProgram(await linuxGuest(), 'usr/sbin/qemu-ga', packages, join(folder, 'agent-initrd'))
}

/** For the guest's shell: the channel is found by its name, as udev would. */
export const startAgent =
  'port=$(grep -l org.qemu.guest_agent.0 /sys/class/virtio-ports/*/name) && port=${port%/name} && { /usr/sbin/qemu-ga -m virtio-serial -p /dev/${port##*/} -t /run >/run/qemu-ga.log 2>&1 & }'
