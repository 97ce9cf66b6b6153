import type { OsCatalog } from '@shared/model'

/** The command of each system that installs the agent, by the beginning of its id in the catalogue. The first that fits counts. */
const commands: readonly (readonly [string, string])[] = [
  ...['debian', 'ubuntu', 'linux-mint', 'pop-os', 'elementary', 'kali', 'proxmox'].map((id) => [id, 'sudo apt install qemu-guest-agent'] as const),
  ...['fedora', 'rhel', 'rocky', 'almalinux', 'centos', 'oracle-linux'].map((id) => [id, 'sudo dnf install qemu-guest-agent && sudo systemctl enable --now qemu-guest-agent'] as const),
  ['mageia', 'sudo urpmi qemu-guest-agent'],
  ['opensuse', 'sudo zypper install qemu-guest-agent'],
  ['sles', 'sudo zypper install qemu-guest-agent'],
  ['arch', 'sudo pacman -S qemu-guest-agent && sudo systemctl enable --now qemu-guest-agent'],
  ['manjaro', 'sudo pacman -S qemu-guest-agent && sudo systemctl enable --now qemu-guest-agent'],
  ['alpine', 'doas apk add qemu-guest-agent && doas rc-update add qemu-guest-agent && doas rc-service qemu-guest-agent start'],
  ['void', 'sudo xbps-install qemu-ga'],
  ['gentoo', 'sudo emerge app-emulation/qemu-guest-agent'],
  ['freebsd', 'sudo pkg install qemu-guest-agent && sudo sysrc qemu_guest_agent_enable=YES && sudo service qemu-guest-agent start'],
  ['opnsense', 'pkg install os-qemu-guest-agent'],
]

/** How the agent gets into a guest of this system, a sentence or two for a person. */
export function installAdvice(catalog: OsCatalog, osId: string): string {
  if (osId === 'nixos') return 'In the guest, set services.qemuGuest.enable = true in its configuration and rebuild it.'
  const command = commands.find(([id]) => osId === id || osId.startsWith(`${id}-`))?.[1]
  if (command !== undefined) return `Install the agent in the guest: ${command}`
  const family = catalog.entries.find(({ id }) => id === osId)?.family
  if (family === 'windows') return 'Install the agent in the guest: run virtio-win-guest-tools.exe from the virtio-win CD (fedorapeople.org/groups/virt/virtio-win).'
  if (family === 'linux' || family === 'bsd') return 'Install the package qemu-guest-agent in the guest, and start it.'
  return 'Install qemu-guest-agent in the guest, where there is one for its system.'
}
