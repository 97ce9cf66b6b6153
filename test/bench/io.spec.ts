import { afterAll, beforeAll, expect, test } from 'vitest'
import { MachineHardware, type MachineView } from '@shared/model'
import { BareQemu } from '../vm/support/bare-qemu'
import type { LinuxGuest } from '../vm/support/guests'
import { qemuImg } from '../vm/support/storage-host'
import { TemporaryFolder } from '../vm/support/temporary-folder'
import { figures } from './figures'
import { IoGuest, ioGuest, type Reading } from './io-guest'
import { median } from './statistics'
import { useBench } from './use-bench'

// Figures, not verdicts, as in bench.spec.ts: disks and networks of one Linux guest, seen from within it, in a machine as Ringside makes it, in the plainest QEMU that a person would type, and in one that was tuned by hand.

const names: readonly Name[] = ['ours', 'plain', 'tuned']
/** One and the same QEMU can be a third quicker from one start to the next, whatever it is told. */
const launches = 4
const rounds = 2
const memoryMiB = 768
const processors = 2
const diskGiB = 4

const bench = useBench()
let folder: TemporaryFolder
const print = figures()

beforeAll(async () => { folder = await TemporaryFolder.make('ringside-bench-') })
afterAll(() => folder[Symbol.asyncDispose]())

/** As a person makes one for a Debian with the wizard, but for the kernel that is started at once. */
async function asRingsideMakesIt({ kernel, initrd, commandLine }: LinuxGuest, number: number): Promise<MachineView> {
  const { id, definition } = await bench.host.made(bench.host.client.machine.create({
    name: `Bench input and output ${String(number)}`, osId: 'debian-12', source: { type: 'blank' }, processors, memoryMiB, newDiskGiB: diskGiB, network: 'user', hardware: {},
  }))
  const before = MachineHardware.parse(definition)
  const boot = { ...before.boot, kernel: { kernel: { kind: 'external' as const, path: kernel }, initrd: { kind: 'external' as const, path: initrd }, commandLine } }
  return (await bench.host.client.hardware.change({ id, hardware: { ...before, boot }, basedOn: before })).machine
}

/** What the machine runs on is Ringside's choice, and the others get the same. */
async function acceleratorOf({ id }: MachineView): Promise<string> {
  const { argv } = await bench.host.client.machine.commandLine({ id })
  return argv[argv.indexOf('-accel') + 1] ?? 'tcg'
}

const size = ['-m', String(memoryMiB), '-smp', String(processors)]

async function plain(): Promise<string[]> {
  await qemuImg('create', '-q', '-f', 'qcow2', folder.in('plain.qcow2'), `${String(diskGiB)}G`)
  return [...size, '-hda', folder.in('plain.qcow2'), '-nic', 'user']
}

/**
 * The quickest of what was tried. Under software emulation that is without an I/O thread and without a trip through the main loop for each request, and with a card
 * that cuts packets and adds checksums itself: behind QEMU's user-mode network virtio leaves both to the guest.
 */
async function tuned(accelerator: string): Promise<string[]> {
  await qemuImg('create', '-q', '-f', 'qcow2', '-o', 'lazy_refcounts=on', folder.in('tuned.qcow2'), `${String(diskGiB)}G`)
  const isEmulated = accelerator === 'tcg'
  const cache = 'cache.direct=on,cache.no-flush=off'
  return [
    ...size, '-machine', 'q35', '-cpu', isEmulated ? 'max' : 'host', ...(isEmulated ? [] : ['-object', 'iothread,id=io']),
    '-blockdev', `driver=file,node-name=file,filename=${folder.in('tuned.qcow2')},aio=io_uring,discard=unmap,${cache}`,
    '-blockdev', `driver=qcow2,node-name=disk,file=file,discard=unmap,l2-cache-size=${String(16 * 2 ** 20)},${cache}`,
    '-device', `virtio-blk-pci,drive=disk,num-queues=${String(processors)},queue-size=1024${isEmulated ? ',ioeventfd=off' : ',iothread=io'}`,
    '-netdev', 'user,id=net', '-device', isEmulated ? 'e1000e,netdev=net' : 'virtio-net-pci,netdev=net,rx_queue_size=1024',
  ]
}

type Name = 'ours' | 'plain' | 'tuned'

test('disks and networks as the guest sees them', async () => {
  const guest = await ioGuest(folder.in('initrd'))
  let accelerator = ''
  const readings = new Map<string, Record<Name, Reading[]>>()
  for (let launch = 0; launch < launches; launch += 1) {
    // A new one each time, as the others are: pieces of its disk are to be written to that never were.
    const machine = await asRingsideMakesIt(guest, launch)
    accelerator = await acceleratorOf(machine)
    await using guests = await startedGuests(machine, guest, accelerator)
    for (let round = 0; round < rounds; round += 1) {
      // Each comes first in turn.
      for (const name of names.map((_, index) => names[(index + round + launch) % names.length] ?? 'ours')) {
        for await (const [test, reading] of guests[name].measure()) {
          const all = readings.get(test) ?? { ours: [], plain: [], tuned: [] }
          all[name].push(reading)
          readings.set(test, all)
        }
      }
    }
    await bench.host.powerOff(machine.id)
  }
  print(`Disk and network in a guest on ${accelerator}: ours against plain / against tuned`, 'rate (medians, spread of ours)', 'processor time of QEMU')
  for (const [test, all] of readings) {
    const rate = (name: Name): number => median(all[name].map((reading) => reading.rate))
    const cost = (name: Name): number => median(all[name].map((reading) => reading.processorSeconds))
    const spread = all.ours.map((reading) => reading.rate)
    print(
      `  ${test}`,
      `${(rate('ours') / rate('plain')).toFixed(2)} / ${(rate('ours') / rate('tuned')).toFixed(2)}  (${rateInWords(rate('ours'))}; ${rateInWords(Math.min(...spread))} to ${rateInWords(Math.max(...spread))})`.padEnd(50),
      `${(cost('ours') / cost('plain')).toFixed(2)} / ${(cost('ours') / cost('tuned')).toFixed(2)}`,
    )
    expect(all.ours).toHaveLength(launches * rounds)
  }
})

/** All three, booted, on new disks. */
async function startedGuests(machine: MachineView, guest: LinuxGuest, accelerator: string): Promise<Record<Name, IoGuest> & AsyncDisposable> {
  await using machines = new AsyncDisposableStack()
  const bare = async (argv: string[], device: string): Promise<IoGuest> => {
    const qemu = machines.use(await BareQemu.start(['-accel', accelerator, ...argv, '-kernel', guest.kernel, '-initrd', guest.initrd, '-append', guest.commandLine]))
    return machines.use(await IoGuest.ready(qemu.serialStream, device, qemu.pid))
  }
  await bench.host.client.machine.start({ id: machine.id })
  const { run } = await bench.host.client.machine.get({ id: machine.id })
  const guests = {
    ours: machines.use(await IoGuest.ready(await bench.host.openSerial(machine.id), '/dev/vda', run?.qemuPid ?? 0)),
    plain: await bare(await plain(), '/dev/sda'),
    tuned: await bare(await tuned(accelerator), '/dev/vda'),
  }
  const started = machines.move()
  return { ...guests, [Symbol.asyncDispose]: () => started.disposeAsync() }
}

/** Bytes or requests a second. */
function rateInWords(rate: number): string {
  return rate > 100_000 ? `${(rate / 2 ** 20).toFixed(1)} MiB/s` : `${rate.toFixed(0)}/s`
}
