import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { expect, test, vi } from 'vitest'
import {
  assembleProbeRom,
  assembleSampleDisk,
  isProbeAnswer,
  probeExit,
  probeGuestArgs,
  readBootCount,
  sampleMachineFacts,
} from '@core/bootcode'
import { BareQemu, qemuProgram } from './support/bare-qemu'
import { colourCount, difference } from './support/screen'
import { TemporaryFolder } from './support/temporary-folder'

const { serial, screen } = sampleMachineFacts

async function runProbe(folder: TemporaryFolder, rom: Uint8Array, ...extra: string[]): Promise<{ text: string; code: number | null }> {
  await writeFile(folder.in('probe.rom'), rom)
  const argv = [...probeGuestArgs(folder.in('probe.rom')), '-accel', 'tcg', ...extra]
  return promisify(execFile)(await qemuProgram(), argv, { timeout: 20_000 }).then(
    ({ stdout }) => ({ text: stdout, code: 0 }),
    (error: { stdout: string; code: number | null }) => ({ text: error.stdout, code: error.code }),
  )
}

test('the probe guest proves TCG, well within a second', async () => {
  await using folder = await TemporaryFolder.make()
  const started = performance.now()
  const { text, code } = await runProbe(folder, assembleProbeRom())
  expect(isProbeAnswer(text, code)).toBe(true)
  // Typically 40 ms: a generous limit, for a busy machine.
  expect(performance.now() - started).toBeLessThan(5000)
})

test('a probe guest that breaks on its way gives no answer', async () => {
  await using folder = await TemporaryFolder.make()
  const broken = assembleProbeRom()
  // 0F 32 is RDMSR: an undefined instruction in its place ends in a triple fault, and with -no-reboot in an exit.
  const at = Buffer.from(broken).indexOf(Buffer.from('0f32', 'hex'))
  broken[at + 1] = 0x0b
  const { text, code } = await runProbe(folder, broken)
  expect(isProbeAnswer(text, code)).toBe(false)
  expect(code).not.toBe(probeExit.code)
})

const buses: [bus: string, machine: string, device: string[]][] = [
  ['SATA', 'q35', ['-device', 'ide-hd,drive=disk,bus=ide.0']],
  ['IDE', 'pc', ['-device', 'ide-hd,drive=disk,bus=ide.0']],
  ['virtio-blk', 'q35', ['-device', 'virtio-blk-pci,drive=disk']],
  ['virtio-scsi', 'q35', ['-device', 'virtio-scsi-pci,id=scsi', '-device', 'scsi-hd,drive=disk,bus=scsi.0']],
]

function startSample(disk: string, machine = 'q35', device = buses[0]?.[2] ?? [], options = ''): Promise<BareQemu> {
  const memory = String(sampleMachineFacts.memoryMiB.least)
  return BareQemu.start([
    '-machine',
    machine,
    '-m',
    memory,
    '-vga',
    'std',
    '-drive',
    `if=none,id=disk,format=raw,file=${disk}${options}`,
    ...device,
  ])
}

test.each(buses)(
  'the sample machine on a disk at %s: counts, draws, takes keys, keeps its number, answers the power button',
  async (_bus, machine, device) => {
    await using folder = await TemporaryFolder.make()
    const disk = folder.in('sample.raw')
    await writeFile(disk, assembleSampleDisk())
    for (const boot of [1, 2]) {
      await using qemu = await startSample(disk, machine, device)
      await qemu.serial.waitFor(serial.greeting(boot))
      await qemu.serial.waitFor(`tick 1 boot ${String(boot)}\r\n`)
      qemu.serial.send('hello')
      await qemu.serial.waitFor('hello')

      const before = await qemu.screen()
      expect(before).toMatchObject(screen)
      expect(colourCount(before)).toBeGreaterThan(100)
      await qemu.pressKeys('shift', 'k')
      await qemu.serial.waitFor(serial.key('K'))
      // The theme changes, and with it every pixel.
      await vi.waitFor(async () => expect(difference(before, await qemu.screen())).toBeGreaterThan(0.9), { timeout: 10_000 })

      await qemu.qmp('system_powerdown')
      await qemu.serial.waitFor(serial.powerButton)
      await qemu.serial.waitFor(serial.powerOff)
      expect(await qemu.ended).toMatchObject({ code: 0, signal: null })
      expect(readBootCount(await readFile(disk))).toBe(boot)
    }
  },
)

test('the sample machine lives: its screen changes with every second', async () => {
  await using folder = await TemporaryFolder.make()
  await writeFile(folder.in('sample.raw'), assembleSampleDisk())
  await using qemu = await startSample(folder.in('sample.raw'))
  await qemu.serial.waitFor(serial.tick)
  const first = await qemu.screen()
  await qemu.serial.waitFor(serial.tick)
  const share = difference(first, await qemu.screen())
  expect(share).toBeGreaterThan(0.001)
  expect(share).toBeLessThan(0.2)
})

test('its keys restart it and switch it off', async () => {
  await using folder = await TemporaryFolder.make()
  await writeFile(folder.in('sample.raw'), assembleSampleDisk())
  await using qemu = await startSample(folder.in('sample.raw'))
  await qemu.serial.waitFor(serial.tick)
  await qemu.pressKeys(sampleMachineFacts.keys.restart)
  await qemu.serial.waitFor(serial.restart)
  await qemu.serial.waitFor(serial.greeting(2))
  await qemu.serial.waitFor(serial.tick)
  await qemu.pressKeys('ctrl', 'c')
  await qemu.serial.waitFor(serial.key('CTRL+C'))
  await qemu.pressKeys(sampleMachineFacts.keys.powerOff)
  await qemu.serial.waitFor(serial.powerOff)
  expect(await qemu.ended).toMatchObject({ code: 0 })
})

test('a damaged record and a disk that takes no writes are told on serial, and the machine runs on', async () => {
  await using folder = await TemporaryFolder.make()
  const disk = folder.in('sample.raw')
  const image = Buffer.from(assembleSampleDisk())
  image[image.indexOf(sampleMachineFacts.recordMagic, 512)] = 0
  await writeFile(disk, image)
  {
    await using qemu = await startSample(disk, 'q35', ['-device', 'virtio-blk-pci,drive=disk'], ',readonly=on')
    await qemu.serial.waitFor(serial.recordDamaged)
    await qemu.serial.waitFor(serial.notWritable)
    await qemu.serial.waitFor('tick 1 boot 1\r\n')
  }
  await using qemu = await startSample(disk)
  await qemu.serial.waitFor(serial.recordDamaged)
  await qemu.serial.waitFor('tick 1 boot 1\r\n')
  expect(readBootCount(await readFile(disk))).toBe(1)
})
