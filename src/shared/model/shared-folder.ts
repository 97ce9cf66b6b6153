import type { SharedFolder } from './devices'

/** What mounts a shared folder in a Linux guest, as root, on a folder that is there. */
export function mountCommand({ tag, driver, readOnly }: Pick<SharedFolder, 'tag' | 'driver' | 'readOnly'>, target = '/mnt'): string {
  const virtiofs = `mount -t virtiofs${readOnly ? ' -o ro' : ''} ${tag} ${target}`
  const plain = `mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144${readOnly ? ',ro' : ''} ${tag} ${target}`
  switch (driver) {
    case 'virtiofs':
      return virtiofs
    case '9p':
      return plain
    case 'auto':
      // Which of them it is shows when the machine starts.
      return `${virtiofs} || ${plain}`
  }
}

/** How a Windows guest gets it, in words. */
export function windowsMountHint({ driver }: Pick<SharedFolder, 'driver'>): string {
  if (driver === '9p') return 'Windows has no driver for 9p: choose virtiofs for a Windows guest.'
  const only = driver === 'auto' ? ' This needs virtiofs, not 9p.' : ''
  return `In Windows install WinFsp and the VirtIO drivers (virtio-win), then start the service VirtioFsSvc: the folder becomes a drive.${only}`
}
