import { writeFile } from 'node:fs/promises'
import { expect, test, vi } from 'vitest'
import { BareQemu } from './support/bare-qemu'
import { grubIso, linuxGuest, memtestIso } from './support/guests'
import { guestPowerButton, guestPrompt, guestReady } from './support/initrd'
import { processesNaming } from './support/processes'
import { colourCount, difference, lightShare } from './support/screen'
import { TemporaryFolder } from './support/temporary-folder'

async function bootLinux(...argv: string[]): Promise<BareQemu> {
  const { kernel, initrd, commandLine } = await linuxGuest()
  return BareQemu.start(['-machine', 'q35', '-m', '256', '-kernel', kernel, '-initrd', initrd, '-append', commandLine, ...argv])
}

test('the Linux guest reaches a shell, keeps data on a disk, and answers the power button', async () => {
  await using folder = await TemporaryFolder.make()
  await writeFile(folder.in('disk.raw'), Buffer.alloc(1 << 20))
  const disk = ['-drive', `if=none,id=d,format=raw,file=${folder.in('disk.raw')}`, '-device', 'virtio-blk-pci,drive=d']
  {
    await using qemu = await bootLinux(...disk)
    await qemu.serial.waitFor(guestReady)
    await qemu.serial.waitFor(guestPrompt)
    expect(await qemu.serial.run('echo $((6 * 7))')).toBe('42')
    await expect(qemu.serial.run('false')).rejects.toThrow(/status 1/)
    await qemu.serial.run('echo kept by the disk | dd of=/dev/vda conv=sync 2>/dev/null && sync')
    await qemu.qmp('system_powerdown')
    await qemu.serial.waitFor(guestPowerButton)
    expect(await qemu.ended).toMatchObject({ code: 0 })
    expect(await processesNaming(qemu.folder)).toEqual([])
  }
  await using qemu = await bootLinux(...disk)
  await qemu.serial.waitFor(guestReady)
  expect(await qemu.serial.run('head -n 1 /dev/vda')).toBe('kept by the disk')
})

test('the Linux guest has drivers for IDE and SCSI disks, CDs and network cards', async () => {
  const iso = await grubIso()
  const drive = (id: string): string[] => ['-drive', `if=none,id=${id},format=raw,readonly=on,file=${iso}`]
  await using qemu = await bootLinux(
    ...['-device', 'piix3-ide,id=ide', ...drive('cd'), '-device', 'ide-cd,drive=cd,bus=ide.0'],
    ...['-device', 'virtio-scsi-pci,id=scsi', ...drive('disk'), '-device', 'scsi-hd,drive=disk,bus=scsi.0'],
    ...['-netdev', 'user,id=n,restrict=on', '-device', 'virtio-net-pci,netdev=n'],
  )
  await qemu.serial.waitFor(guestReady)
  expect(await qemu.serial.run('await-device /dev/sr0 && mount -t iso9660 /dev/sr0 /mnt && ls /mnt')).toContain('boot')
  expect(await qemu.serial.run('await-device /dev/sda && blockdev --getro /dev/sda')).toBe('1')
  expect(await qemu.serial.run('udhcpc -i eth0 -q -n 2>/dev/null; ip -4 address show eth0')).toContain('10.0.2.15')
})

function bootCd(iso: string): Promise<BareQemu> {
  const cd = ['-drive', `if=none,id=cd,format=raw,readonly=on,media=cdrom,file=${iso}`, '-device', 'ide-cd,drive=cd,bus=ide.0']
  return BareQemu.start(['-machine', 'q35', '-m', '128', '-vga', 'std', '-boot', 'd', ...cd])
}

test('GRUB boots from its CD to a menu that takes keys', async () => {
  await using qemu = await bootCd(await grubIso())
  const menu = await qemu.settledScreen((picture) => lightShare(picture) > 0.05)
  await qemu.pressKeys('down')
  // The bar moves a line: more than the countdown's digits do.
  await vi.waitFor(async () => expect(difference(menu, await qemu.screen())).toBeGreaterThan(0.02), { timeout: 30_000, interval: 200 })
})

test('Memtest86+ boots from its CD and fills the screen', async () => {
  await using qemu = await bootCd(await memtestIso())
  // Its own colours: white on blue, a title on red.
  await vi.waitFor(async () => expect(colourCount(await qemu.screen())).toBeGreaterThanOrEqual(4), { timeout: 30_000, interval: 500 })
})
