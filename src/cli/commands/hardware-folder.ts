import { Option } from 'commander'
import { basename, resolve } from 'node:path'
import { RingsideError } from '@shared/errors'
import { mountCommand, type SharedFolder, SharedFolderDriver } from '@shared/model'
import { change, storedHardware } from '../change-hardware'
import { usageError, type Cli } from '../cli'
import { freeName, nameOf } from '../free-name'

interface FolderOptions { tag?: string; write?: boolean; driver: SharedFolderDriver }

/** `ringside hardware folder add|remove …` */
export function registerHardwareFolder(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('folder <add|remove> <machine> <folder>', 'Shares a folder of this computer with the guest, or shares it no more, also while the machine runs.')
    .option('--tag <tag>', 'add: what the guest mounts it by')
    .option('--write', 'add: the guest may write to it')
    .addOption(new Option('--driver <way>', 'add: how the guest reaches it').choices(SharedFolderDriver.options).default('auto'))
    .addHelpText('after', '\nA folder to remove is named by its id, its tag or its path.\n\nExamples:\n  ringside hardware folder add web-01 ~/music\n  ringside hardware folder add web-01 ~/work --write --tag work\n  ringside hardware folder remove web-01 music')
  command.action((action: string, wanted: string, folder: string, options: FolderOptions) =>
    cli.perform(command, async (run) => {
      if (action !== 'add' && action !== 'remove') throw usageError('error: hardware folder takes add or remove as its first word')
      if (action === 'remove' && (options.tag !== undefined || options.write === true)) throw usageError('error: --tag and --write go with add')
      const machine = await run.machine(wanted)
      const hardware = storedHardware(machine)
      const { sharedFolders } = hardware
      if (action === 'remove') {
        const found = sharedFolders.find(({ id, tag, path }) => [id, tag, path].includes(folder) || path === resolve(folder))
        if (found === undefined) throw new RingsideError('NOT_FOUND', `The machine shares no such folder: ${folder}`, { hint: sharedFolders.length === 0 ? 'It shares none at all.' : `It shares: ${sharedFolders.map(({ tag }) => tag).join(', ')}.` })
        await change(run, machine, { ...hardware, sharedFolders: sharedFolders.filter(({ id }) => id !== found.id) })
        return
      }
      const path = resolve(folder)
      const tag = options.tag ?? freeName(nameOf(basename(path), 'share'), sharedFolders.map((each) => each.tag))
      const added: SharedFolder = { id: freeName('share', [hardware.disks, hardware.cdroms, hardware.nics, hardware.usbDevices, sharedFolders, hardware.pciDevices].flat().map(({ id }) => id), 0), tag, path, readOnly: options.write !== true, driver: options.driver, slot: null }
      await change(run, machine, { ...hardware, sharedFolders: [...sharedFolders, added] }, { json: { folder: added, mount: mountCommand(added) }, words: `In a Linux guest, as root: ${mountCommand(added)}\n` })
    }),
  )
}
