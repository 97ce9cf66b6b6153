/** How to get QEMU on each system, with the exact commands. */
export function installAdvice(platform: NodeJS.Platform): string {
  switch (platform) {
    case 'darwin':
      return 'Install QEMU: brew install qemu    (or with MacPorts: sudo port install qemu)'
    case 'win32':
      return 'Install QEMU: winget install SoftwareFreedomConservancy.QEMU    (or from https://qemu.weilnetz.de/w64/)'
    case 'linux':
      return 'Install QEMU: sudo apt install qemu-system-x86 qemu-utils    (Fedora: sudo dnf install qemu-system-x86 qemu-img; Arch: sudo pacman -S qemu-desktop)'
    default:
      return 'Install QEMU with the packages of your system, then probe again.'
  }
}
