import { RingsideError } from '@shared/errors'
import type { HostUsbDevice, MachineHardware, UsbDevice } from '@shared/model'
import { change, storedHardware } from '../change-hardware'
import { usageError, type Cli, type Run } from '../cli'
import { freeName } from '../free-name'
import { table } from '../output'

interface UsbOptions { port?: string | boolean; name?: string }

/** `ringside hardware usb list|attach|detach …` */
export function registerHardwareUsb(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('usb <list|attach|detach> [machine] [device]', 'This computer’s USB devices; gives one to a guest, or takes it back, also while the machine runs.')
    .option('--port [port]', 'attach: only in that port, such as 1-4.2; alone: in the one it is in now')
    .option('--name <words>', 'attach: what to call it')
    .addHelpText('after', '\nA device is named by its numbers, such as 046d:c52b. It need not be plugged in: the guest gets it whenever it is.\n\nExamples:\n  ringside hardware usb list\n  ringside hardware usb attach web-01 046d:c52b\n  ringside hardware usb detach web-01 046d:c52b')
  command.action((action: string, wanted: string | undefined, numbers: string | undefined, options: UsbOptions) =>
    cli.perform(command, async (run) => {
      if (action === 'list' && wanted === undefined) {
        await list(run)
        return
      }
      if (action !== 'attach' && action !== 'detach') throw usageError('error: hardware usb takes list (and nothing else), attach or detach as its first word')
      if (wanted === undefined || numbers === undefined) throw usageError(`error: say the machine and the device to ${action}, such as 046d:c52b`)
      const machine = await run.machine(wanted)
      const hardware = storedHardware(machine)
      if (action === 'detach') {
        const found = hardware.usbDevices.find(({ id, vendorId, productId }) => id === numbers || `${vendorId}:${productId}` === numbers.toLowerCase())
        if (found === undefined) throw new RingsideError('NOT_FOUND', `The machine has no such USB device: ${numbers}`, { hint: hardware.usbDevices.length === 0 ? 'It has none at all.' : `It has: ${hardware.usbDevices.map(({ vendorId, productId }) => `${vendorId}:${productId}`).join(', ')}.` })
        await change(run, machine, { ...hardware, usbDevices: hardware.usbDevices.filter(({ id }) => id !== found.id) })
        return
      }
      const device = await deviceOf(run, hardware, numbers, options)
      await change(run, machine, { ...hardware, usbDevices: [...hardware.usbDevices, device] }, { json: { device } })
    }),
  )
}

async function list(run: Run): Promise<void> {
  const { usb, usbProblem } = await run.client.host.devices()
  const rows = usb.map((device) => [`${device.vendorId}:${device.productId}`, nameOf(device), device.port ?? '', device.serial ?? '', device.obstacle === null ? 'yes' : 'no'])
  const remarks = usb.flatMap(({ vendorId, productId, obstacle }) => (obstacle === null ? [] : [`${vendorId}:${productId}: ${obstacle.message} ${obstacle.remedy ?? ''}\n`]))
  const problem = usbProblem === null ? '' : `${usbProblem.message} ${usbProblem.remedy ?? ''}\n`
  run.answer({ usb, usbProblem }, `${usb.length === 0 ? problem || 'Nothing is plugged in.\n' : table(['DEVICE', 'NAME', 'PORT', 'SERIAL', 'USABLE'], rows)}${remarks.length === 0 ? '' : `\n${remarks.join('')}`}`)
}

function nameOf({ vendor, product }: HostUsbDevice): string {
  return [vendor, product].filter(Boolean).join(' ') || 'Unnamed'
}

async function deviceOf(run: Run, hardware: MachineHardware, numbers: string, { port, name }: UsbOptions): Promise<UsbDevice> {
  const [, vendorId, productId] = /^([0-9a-f]{4}):([0-9a-f]{4})$/u.exec(numbers.toLowerCase()) ?? []
  if (vendorId === undefined || productId === undefined) throw usageError('error: a USB device is named by its numbers, such as 046d:c52b; “ringside hardware usb list” shows them')
  const here = (await run.client.host.devices()).usb.find((device) => device.vendorId === vendorId && device.productId === productId)
  if (port === true && here?.port == null) throw new RingsideError('NOT_FOUND', `Nothing says in which port ${numbers} is.`, { hint: 'Plug it in, or name the port.' })
  const taken = [hardware.disks, hardware.cdroms, hardware.nics, hardware.usbDevices, hardware.sharedFolders, hardware.pciDevices].flat().map(({ id }) => id)
  return { id: freeName('usb', taken, 0), vendorId, productId, name: name ?? (here === undefined ? '' : nameOf(here)), port: port === true ? (here?.port ?? null) : typeof port === 'string' ? port : null, slot: null }
}
