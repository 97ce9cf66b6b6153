import { gzipSync } from 'node:zlib'
import { cpio, type CpioEntry } from './cpio'
import type { KernelModule } from './kernel-modules'

/**
 * Drivers that the tests' machines need; those built into the kernel are skipped (NVMe in Debian's). Debian's cloud kernel has none for
 * AHCI, e1000, USB input and graphics: give its machines virtio disks and cards, and take another guest where such a device is the point.
 */
export const guestModules = [
  ...['virtio_pci', 'virtio_blk', 'virtio_scsi', 'virtio_net', 'virtio_console', 'virtio_rng', 'virtio_balloon', 'virtio_input'],
  ...['ahci', 'ata_piix', 'sd_mod', 'sr_mod', 'isofs', 'nvme', 'button', 'evdev'],
]

/** Drivers that are there and loaded only where they are needed, which takes `insmod /modules/NAME.ko`. */
export const guestModulesOnDemand = ['efivarfs']

/** What the guest prints when its shell is about to start, and the prompt that it shows. */
export const guestReady = 'ringside-guest ready'
export const guestPrompt = 'guest# '
/** Printed when the power button was seen, before the guest switches itself off. */
export const guestPowerButton = 'ringside-guest power button'

const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ TERM=linux PS1='${guestPrompt}'
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /run /tmp /mnt
mount -t devpts devpts /dev/pts
hostname ringside-guest
for module in $(cat /modules/order); do insmod /modules/$module.ko; done
acpid -d >/dev/null 2>&1 &
ip link set lo up
echo '${guestReady}'
while true; do setsid cttyhack sh; done
`

/** For udhcpc, which a test starts when it needs a network: `udhcpc -i eth0 -q -n`. */
const dhcp = `#!/bin/sh
case "$1" in
  deconfig) ip link set "$interface" up ;;
  bound|renew)
    ip address flush dev "$interface"
    ip address add "$ip/\${mask:-24}" dev "$interface"
    ip route add default via "\${router%% *}" 2>/dev/null
    ;;
esac
exit 0
`

/** `await-device /dev/sr0`: drivers find their disks after init has gone on. */
const awaitDevice = `#!/bin/sh
until [ -e "$1" ]; do usleep 20000; done
`

/**
 * `keep-files FOLDER`: writes files there for ever, each with its checksum beside it, numbered from the last that is there. The highest number
 * that is whole and on the disk stands in memory, in `/run/files`, and is told on the second serial port, if there is one.
 */
const keepFiles = `#!/bin/sh
cd "$1" || exit
echo $$ >/run/keeper
number=$(ls | sed -n 's/\\.sum$//p' | sort -n | tail -n 1)
number=\${number:-0}
while :; do
  number=$((number + 1))
  head -c $((number % 7 * 5000 + 1000)) /dev/urandom >$number.data
  sha256sum $number.data >$number.sum
  sync
  echo $number >/run/files.new
  mv /run/files.new /run/files
  [ ! -c /dev/ttyS1 ] || echo "files=$number" >/dev/ttyS1
done
`

/**
 * `check-files FOLDER`: reads all files of \`keep-files\` from the disk and prints how many there are, none missing and each whole; otherwise says which is
 * wrong and ends with status 1. Only the last may be in the making. The writer is held meanwhile.
 */
const checkFiles = `#!/bin/sh
cd "$1" || exit
keeper=$(cat /run/keeper 2>/dev/null)
[ -z "$keeper" ] || kill -STOP $keeper
sync
echo 3 >/proc/sys/vm/drop_caches
number=$(ls | sed -n 's/\\.data$//p' | sort -n | tail -n 1)
number=\${number:-0}
sha256sum -s -c $number.sum 2>/dev/null || [ $number = 0 ] || number=$((number - 1))
wrong=
for one in $(seq 1 $number); do
  sha256sum -s -c $one.sum || wrong="$wrong $one"
done
[ -z "$keeper" ] || kill -CONT $keeper
[ -z "$wrong" ] || { echo "of $number these are wrong:$wrong"; exit 1; }
echo $number
`

/**
 * `efi-variables [NAME]`: sets a UEFI variable of that name, if one is given, and prints the names of all that were set so, in order. They are made and never
 * changed: the kernel makes variables of vendors that it doesn't know immutable, and busybox has no chattr.
 */
const efiVariables = `#!/bin/sh
vendor=5a3f1c52-0b7e-4c9d-9c61-2f1d8e7a4b90
[ -d /run/efivars ] || { insmod /modules/efivarfs.ko && mkdir /run/efivars && mount -t efivarfs efivarfs /run/efivars || exit; }
cd /run/efivars
# Four bytes of attributes come first: kept over boots, for boot services, for the system that runs. All has to be one write.
[ $# = 0 ] || { printf '\\007\\000\\000\\000%s' "$1" >/run/variable && dd if=/run/variable of=$1-$vendor bs=1024 2>/dev/null || exit; }
for one in *-$vendor; do [ ! -f $one ] || { tail -c +5 $one; echo; }; done | tr '\\n' ' '
`

/**
 * `tpm-note [TEXT]`: keeps a text of eight letters in the TPM, if one is given, and prints the one that is there. As raw commands of TPM 2.0 [Part 3: TPM2_NV_DefineSpace, TPM2_NV_Write,
 * TPM2_NV_Read], for an index of eight bytes that its owner, who has no password, writes and reads.
 */
const tpmNote = `#!/bin/sh
owner='\\x40\\x00\\x00\\x01'
index='\\x01\\x50\\x00\\x00'
nobody='\\x00\\x00\\x00\\x09\\x40\\x00\\x00\\x09\\x00\\x00\\x00\\x00\\x00'
exec 3<>/dev/tpm0 || exit
ask() { printf "$1" >&3; dd bs=4096 count=1 <&3 >/run/tpm-answer 2>/dev/null; }
[ $# = 0 ] || {
  ask "\\x80\\x02\\x00\\x00\\x00\\x2d\\x00\\x00\\x01\\x2a$owner$nobody\\x00\\x00\\x00\\x0e$index\\x00\\x0b\\x02\\x06\\x00\\x06\\x00\\x00\\x00\\x08"
  ask "\\x80\\x02\\x00\\x00\\x00\\x2b\\x00\\x00\\x01\\x37$owner$index$nobody\\x00\\x08$1\\x00\\x00"
}
ask "\\x80\\x02\\x00\\x00\\x00\\x23\\x00\\x00\\x01\\x4e$owner$index$nobody\\x00\\x08\\x00\\x00"
tail -c +17 /run/tpm-answer | head -c 8
`

const onPowerButton = `#!/bin/sh
echo '${guestPowerButton}' >/dev/console
sync
poweroff -f
`

/** A gzipped initial file system: busybox, the modules (those on demand need nothing but what is loaded already), and an init that ends in a shell on the console. */
export function buildInitrd(busybox: Uint8Array, modules: KernelModule[], onDemand: KernelModule[] = []): Buffer {
  const script = (name: string, text: string): CpioEntry => ({ type: 'file', name, content: Buffer.from(text), executable: true })
  const folders = ['bin', 'dev', 'proc', 'sys', 'etc', 'etc/acpi', 'etc/acpi/PWRF', 'modules', 'etc/udhcpc']
  return gzipSync(
    cpio([
      ...folders.map((name): CpioEntry => ({ type: 'folder', name })),
      // Before devtmpfs is mounted, init's output goes to this node.
      { type: 'character', name: 'dev/console', major: 5, minor: 1 },
      { type: 'file', name: 'bin/busybox', content: busybox, executable: true },
      { type: 'link', name: 'bin/sh', target: 'busybox' },
      script('init', init),
      script('bin/await-device', awaitDevice),
      script('bin/keep-files', keepFiles),
      script('bin/check-files', checkFiles),
      script('bin/efi-variables', efiVariables),
      script('bin/tpm-note', tpmNote),
      script('etc/acpi/PWRF/00000080', onPowerButton),
      script('etc/udhcpc/default.script', dhcp),
      { type: 'file', name: 'modules/order', content: Buffer.from(modules.map((module) => `${module.name}\n`).join('')) },
      ...[...modules, ...onDemand].map((module): CpioEntry => ({ type: 'file', name: `modules/${module.name}.ko`, content: module.content })),
    ]),
    { level: 6 },
  )
}
