import { access, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { dependencyOf, unpackedPackage } from './debian-packages'
import { packagesCache, type LinuxGuest } from './guests'
import { buildInitrd, guestModules } from './initrd'
import { collectModules } from './kernel-modules'

/** Drivers for hardware that the cloud kernel knows nothing of, in the order in which they are loaded. */
const fullModules = [
  ...guestModules, '9p', '9pnet_virtio', 'virtiofs', 'i6300esb', 'xhci_pci', 'usb_storage', 'mmc_block', 'sdhci_pci', 'floppy', 'pvpanic', 'pvpanic_mmio', 'pvpanic_pci', 'virtio_mem',
  'ehci_pci', 'uhci_hcd', 'e1000', 'e1000e',
]

/** Loaded where sound is the point, in this order; the last gives the guest a file to play to. */
export const soundModules = ['gameport', 'soundcore', 'snd', 'snd_timer', 'snd_pcm', 'snd_seq_device', 'snd_rawmidi', 'snd_ens1370', 'snd_mixer_oss', 'snd_pcm_oss']

/** Loaded where what points is the point, in this order. */
export const pointerModules = ['hid', 'usbhid', 'hid_generic', 'psmouse']

let guest: Promise<LinuxGuest> | undefined

/** A Linux guest with the kernel for whole computers, which has drivers for nearly everything. Its package is large (70 MB) and fetched at the first call. */
export function fullGuest(): Promise<LinuxGuest> {
  guest ??= make().catch((error: unknown) => {
    guest = undefined
    throw error
  })
  return guest
}

async function make(): Promise<LinuxGuest> {
  const name = await dependencyOf('linux-image-amd64', /^linux-image-\d/)
  const [folder, busybox] = await Promise.all([unpackedPackage(name, packagesCache), unpackedPackage('busybox-static', packagesCache)])
  const release = name.replace('linux-image-', '')
  const tool = await readFile(join(busybox, 'bin/busybox')).catch(() => readFile(join(busybox, 'usr/bin/busybox')))
  const modules = await access(join(folder, 'lib/modules', release)).then(() => join(folder, 'lib/modules', release), () => join(folder, 'usr/lib/modules', release))
  const initrd = join(dirname(packagesCache), 'initrd', `${release}-full-${String(process.pid)}.cpio.gz`)
  await mkdir(dirname(initrd), { recursive: true })
  await writeFile(`${initrd}.partial`, buildInitrd(tool, await collectModules(modules, fullModules), await collectModules(modules, [...soundModules, ...pointerModules])))
  await rename(`${initrd}.partial`, initrd)
  return { kernel: join(folder, 'boot', `vmlinuz-${release}`), initrd, commandLine: 'console=ttyS0,115200 loglevel=5 mitigations=off panic=-1' }
}
