import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hardwareOf } from '@core/hardware/hardware'
import { unpackedPackage } from './support/debian-packages'
import { fatImage } from './support/fat-image'
import { linuxGuest, packagesCache } from './support/guests'
import { guestReady } from './support/initrd'
import { OpenLibrary } from './support/open-library'
import { addMachines } from './support/real-host'
import { SerialSession } from './support/serial-session'
import { readDisk } from './support/sound-machine'
import { qemuImg } from './support/storage-host'
import { TemporaryFolder } from './support/temporary-folder'
import { useLibrary } from './support/test-library'

/* UEFI with the usual keys: what is signed starts, what is not is refused; and the guest sees that, and its TPM. */

const at = useLibrary()

const MiB = 2 ** 20
/** The variable [UEFI specification: Globally Defined Variables], after four bytes of attributes. */
const secureBootVariable = 'SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c'

/** A disk from which firmware starts Debian's signed chain: shim, whose signature is Microsoft's, GRUB and the kernel. */
async function signedDisk(): Promise<Buffer> {
  const [shim, grub, guest] = await Promise.all([unpackedPackage('shim-signed', packagesCache), unpackedPackage('grub-efi-amd64-signed', packagesCache), linuxGuest()])
  const config = `linux /VMLINUZ console=ttyS0,115200 loglevel=5 mitigations=off panic=-1\ninitrd /INITRD.GZ\nboot\n`
  return fatImage([
    { path: 'EFI/BOOT/BOOTX64.EFI', content: await readFile(join(shim, 'usr/lib/shim/shimx64.efi.signed')) },
    { path: 'EFI/BOOT/GRUBX64.EFI', content: await readFile(join(grub, 'usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed')) },
    { path: 'EFI/DEBIAN/GRUB.CFG', content: Buffer.from(config) },
    { path: 'VMLINUZ', content: await readFile(guest.kernel) },
    { path: 'INITRD.GZ', content: await readFile(guest.initrd) },
  ], 64 * MiB)
}

/** The same loader with its signature broken. */
async function unsignedDisk(): Promise<Buffer> {
  const loader = await readFile(join(await unpackedPackage('shim-signed', packagesCache), 'usr/lib/shim/shimx64.efi.signed'))
  // In the text of a message.
  const at = loader.indexOf('shim', 0x1000, 'latin1')
  loader.write('sham', at, 'latin1')
  return fatImage([{ path: 'EFI/BOOT/BOOTX64.EFI', content: loader }], 16 * MiB)
}

test('with Secure Boot a changed loader is refused and a signed system starts, which sees it, and its TPM', async () => {
  const disks = [['disk0', await unsignedDisk()], ['disk1', await signedDisk()]] as const
  const [id = ''] = await addMachines(at.library, [{
    name: 'Secure',
    definition: {
      firmware: { type: 'uefi', secureBoot: true }, tpm: { model: 'tpm-crb', state: 'tpm/00000000' }, memoryMiB: 256, display: { model: 'none' }, pointer: 'ps2', boot: { order: ['disk0', 'disk1'] },
      disks: disks.map(([disk]) => ({ id: disk, image: { kind: 'own', path: `disks/${disk}.qcow2` }, format: 'qcow2', bus: 'virtio-blk' })),
    },
    async prepare({ folder, disksFolder }) {
      await mkdir(join(folder, 'tpm/00000000'), { recursive: true, mode: 0o700 })
      for (const [disk, content] of disks) {
        await writeFile(join(disksFolder, 'content'), content)
        await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', join(disksFolder, 'content'), join(disksFolder, `${disk}.qcow2`))
        await rm(join(disksFolder, 'content'))
      }
    },
  }])
  await using open = await OpenLibrary.open(at.programs, at.library)
  const { machines, hardware } = open.calls
  await machines.start(id)
  const stream = await open.openConsole(id, 'serial')
  using session = new SerialSession(stream)
  expect(await session.waitFor(guestReady, 110_000)).toMatch(/Access Denied/u)
  expect(await session.run(`insmod /modules/efivarfs.ko && mount -t efivarfs efivarfs /mnt && od -A n -t u1 /mnt/${secureBootVariable}`)).toMatch(/6 +0 +0 +0 +1$/u)
  expect(await session.run('cat /sys/class/tpm/tpm0/tpm_version_major')).toBe('2')
  // The firmware has measured its keys.
  expect(await session.run('cat /sys/class/tpm/tpm0/pcr-sha256/7')).toMatch(/^(?!0{64})[0-9A-F]{64}$/u)
  stream.destroy()
  const before = hardwareOf((await machines.get(id)).definition)
  const off = { ...before, firmware: { ...before.firmware, secureBoot: false } }
  await expect(hardware.change(id, off, before)).rejects.toMatchObject({ code: 'INVALID_INPUT' })
  await machines.powerOff(id)

  // Without the keys there is another store; the old one stays.
  expect((await open.services.hardware.plan(id, off)).issues).toMatchObject([{ path: 'firmware.secureBoot', severity: 'warning', message: expect.stringContaining('firmware/nvram.qcow2') as string }])
  await hardware.change(id, off, before)
  const { definition, folder } = await machines.get(id)
  expect(definition.firmware).toMatchObject({ secureBoot: false, nvram: expect.stringMatching(/^firmware\/nvram-[0-9a-f]{8}\.qcow2$/u) as string })
  expect((await open.calls.snapshots.tree(id)).orphans).toMatchObject([{ path: 'firmware/nvram.qcow2' }])
  await machines.start(id)
  await machines.powerOff(id)
  if (definition.firmware.type === 'uefi') expect(await qemuImg('check', join(folder, definition.firmware.nvram))).toContain('No errors')

  // A backup has the variables and the keys, for a new machine and for this one.
  await using elsewhere = await TemporaryFolder.make('ringside-backups-')
  const { backups } = open.calls
  await backups.create({ id, folder: elsewhere.path, full: false, compress: true, quiesce: false, verify: true })
  const contentOf = async (machine: string): Promise<Buffer[]> => {
    const view = await machines.get(machine)
    const { firmware, tpm } = view.definition
    return [await readDisk(join(view.folder, firmware.type === 'uefi' ? firmware.nvram : '')), await readFile(join(view.folder, tpm?.state ?? '', 'tpm2-00.permall'))]
  }
  const kept = await contentOf(id)
  const [set] = (await backups.list({ folder: elsewhere.path, id })).sets
  const backup = { folder: elsewhere.path, set: set?.set ?? '', backupId: set?.backups[0]?.id ?? '' }
  const restored = await backups.restore({ ...backup, target: { kind: 'new', name: 'Restored', sameIdentity: false } })
  await backups.restore({ ...backup, target: { kind: 'same', keepPresent: null } })
  for (const machine of [restored, id]) {
    expect((await contentOf(machine)).map((content, index) => content.equals(kept[index] ?? Buffer.alloc(0)))).toEqual([true, true])
    await machines.start(machine)
    await machines.powerOff(machine)
  }
  expect(open.defects).toEqual([])
})
