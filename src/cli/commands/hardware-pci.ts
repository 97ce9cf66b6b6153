import { RingsideError } from '@shared/errors'
import { change, storedHardware } from '../change-hardware'
import { usageError, type Cli, type Run } from '../cli'
import { freeName } from '../free-name'
import { table } from '../output'

/** `ringside hardware pci list|attach|detach …` */
export function registerHardwarePci(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('pci <list|attach|detach> [machine] [address]', 'This computer’s PCI devices and what speaks against giving one away; gives one to a guest, or takes it back, also while the machine runs.')
    .addHelpText('after', '\nExamples:\n  ringside hardware pci list\n  ringside hardware pci attach web-01 0000:01:00.0\n  ringside hardware pci detach web-01 0000:01:00.0')
  command.action((action: string, wanted: string | undefined, given: string | undefined) =>
    cli.perform(command, async (run) => {
      if (action === 'list' && wanted === undefined) {
        await list(run)
        return
      }
      if (action !== 'attach' && action !== 'detach') throw usageError('error: hardware pci takes list (and nothing else), attach or detach as its first word')
      if (wanted === undefined || given === undefined) throw usageError(`error: say the machine and the device to ${action}, such as 0000:01:00.0`)
      const address = /^[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/iu.test(given) ? `0000:${given.toLowerCase()}` : given.toLowerCase()
      const machine = await run.machine(wanted)
      const hardware = storedHardware(machine)
      if (action === 'detach') {
        const found = hardware.pciDevices.find((device) => device.id === given || device.address === address)
        if (found === undefined) throw new RingsideError('NOT_FOUND', `The machine has no such device: ${given}`, { hint: hardware.pciDevices.length === 0 ? 'It has none at all.' : `It has: ${hardware.pciDevices.map((device) => device.address).join(', ')}.` })
        await change(run, machine, { ...hardware, pciDevices: hardware.pciDevices.filter(({ id }) => id !== found.id) })
        return
      }
      const here = (await run.client.host.devices()).pci.find((device) => device.address === address)
      const taken = [hardware.disks, hardware.cdroms, hardware.nics, hardware.usbDevices, hardware.sharedFolders, hardware.pciDevices].flat().map(({ id }) => id)
      const device = { id: freeName('pci', taken, 0), address, name: here?.name ?? '', slot: null }
      await change(run, machine, { ...hardware, pciDevices: [...hardware.pciDevices, device] }, { json: { device, warnings: here?.warnings ?? [] }, words: (here?.warnings ?? []).map((words) => `Note: ${words}\n`).join('') })
    }),
  )
}

async function list(run: Run): Promise<void> {
  const { pci, pciProblem } = await run.client.host.devices()
  const problem = pciProblem === null ? '' : `${pciProblem.message} ${pciProblem.remedy ?? ''}\n`
  const rows = pci.map(({ address, group, kind, name, driver, obstacle }) => [address, group === null ? '' : String(group), `${kind}: ${name}`, driver ?? '', obstacle === null ? 'yes' : 'no'])
  const remarks = pciProblem !== null ? [] : pci.flatMap(({ address, obstacle }) => (obstacle?.remedy == null ? [] : [`${address}: ${obstacle.message} ${obstacle.remedy}\n`]))
  run.answer({ pci, pciProblem }, `${problem}${pci.length === 0 ? '' : `${problem === '' ? '' : '\n'}${table(['ADDRESS', 'GROUP', 'DEVICE', 'DRIVER', 'POSSIBLE'], rows)}`}${remarks.length === 0 ? '' : `\n${remarks.join('')}`}`)
}
