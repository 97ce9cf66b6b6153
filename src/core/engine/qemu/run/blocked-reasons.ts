/** Of a folder that goes by 9p [hw/9pfs/9p.c, v9fs_attach]. The path may be a link that is there no more. */
const mountedFolder = /^.*VirtFS export path '.*' is mounted in the guest using mount_tag '(.*)'$/u

/** Why QEMU does not write memory, as it says itself, but for what people know by another name. */
export function blockedInWords(reasons: readonly string[]): string {
  return reasons.map((reason) => reason.replace(mountedFolder, 'the folder “$1” is mounted in the guest')).join('; ')
}
