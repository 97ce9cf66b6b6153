import { Option } from 'commander'
import { resolve } from 'node:path'
import { DiskBus, type DiskFormat, DiskFormat as DiskFormats, type NewDisk } from '@shared/model'
import { RingsideError } from '@shared/errors'
import { usageError, type Cli } from '../cli'
import { diskSize, type DiskSize } from '../disk-size'
import { followJob, remarkNotes } from '../follow-job'
import { machineAsJson } from '../output'

interface DiskOptions {
  new?: DiskSize
  use?: string
  copy?: string
  format?: DiskFormat
  bus: DiskBus
  readOnly?: boolean
  encrypt?: boolean
  trash?: boolean
}

/** `ringside hardware disk add|remove …` */
export function registerHardwareDisk(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('disk <add|remove> <machine> [disk]', 'Adds a disk, or takes one out; while the machine runs where its bus can.')
    .option('--new <size>', 'add: an empty one of that size, such as 40G', diskSize)
    .option('--use <image>', 'add: an image where it is')
    .option('--copy <image>', 'add: a copy of an image')
    .addOption(new Option('--format <format>', 'what the image is, where that is not to be seen').choices(DiskFormats.options))
    .addOption(new Option('--bus <bus>', 'how it is connected').choices(DiskBus.options).default('virtio-blk'))
    .option('--read-only', 'the guest can’t write to it')
    .option('--encrypt', 'add --new or --copy: encrypt it; the machine’s passphrase opens it (see `encryption passphrase`)')
    .option('--trash', 'remove: its file goes to the trash, unless snapshots or clones read from it')
    .addHelpText('after', '\nExamples:\n  ringside hardware disk add web-01 --new 40G\n  ringside hardware disk add web-01 --copy ~/data.vmdk --bus virtio-scsi\n  ringside hardware disk remove web-01 disk1 --trash')
  command.action((action: string, wanted: string, disk: string | undefined, options: DiskOptions) =>
    cli.perform(command, async (run) => {
      if (action !== 'add' && action !== 'remove') throw usageError('error: hardware disk takes add or remove as its first word')
      if (action === 'remove' && disk === undefined) throw usageError('error: say which disk to remove')
      const sources = [options.new, options.use, options.copy].filter((source) => source !== undefined)
      if (action === 'add' && (sources.length !== 1 || disk !== undefined)) throw usageError('error: add takes one of --new, --use and --copy')
      if (action === 'remove' && sources.length > 0) throw usageError('error: --new, --use and --copy go with add')
      const { id } = await run.machine(wanted)
      if (action === 'add') {
        const source = await sourceOf(options, (path) => run.client.storage.inspect({ path }))
        const { notes } = await followJob(run, await run.client.hardware.addDisk({ id, source, bus: options.bus, readOnly: options.readOnly === true, encrypted: options.encrypt === true }))
        const machine = await run.client.machine.get({ id })
        const added = (machine.next ?? machine.definition).disks.at(-1)
        run.answer({ ...machineAsJson(machine), disk: added, notes }, `“${machine.definition.name}” has the disk “${added?.id ?? ''}” now.\n`)
        remarkNotes(run, notes)
        return
      }
      const { notes } = await followJob(run, await run.client.hardware.removeDisk({ id, diskId: disk ?? '', file: options.trash === true ? 'trash' : 'keep' }))
      const machine = await run.client.machine.get({ id })
      run.answer({ ...machineAsJson(machine), notes }, `The disk “${disk ?? ''}” is out of “${machine.definition.name}”.\n`)
      remarkNotes(run, notes)
    }),
  )
}

async function sourceOf(options: DiskOptions, inspect: (path: string) => Promise<{ format: DiskFormat | null }>): Promise<NewDisk['source']> {
  if (options.new !== undefined) {
    if (options.new.isMore) throw usageError('error: --new takes a size such as 40G')
    return { kind: 'new', sizeBytes: options.new.bytes }
  }
  const path = resolve(options.use ?? options.copy ?? '')
  const format = options.format ?? (await inspect(path)).format
  if (format === null) throw new RingsideError('IMAGE_UNSUPPORTED', `Nothing in this file says what it is: ${path}`, { path, hint: 'Say it with --format, for example --format raw.' })
  return { kind: options.use === undefined ? 'copy' : 'use', path, format }
}
