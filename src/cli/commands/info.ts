import { InvalidArgumentError, Option } from 'commander'
import { processorCount, stateInWords, taskInWords, type HostInfo, type ImageLocation, type MachineView } from '@shared/model'
import type { Cli, Run } from '../cli'
import { durationInWords, facts, machineAsJson, sizeInWords } from '../output'
import { policyInWords } from '../snapshot-output'
import { quotedForShell, shown } from '../words'
import { answerPicture } from '../write-picture'
import { backupsInWords } from './backup'

export function registerInfo(cli: Cli): void {
  const command = cli
    .command('info [machine]', 'All about a machine; without one, about this computer and its library.')
    .option('--command-line', 'the command line that QEMU gets')
  command.action((wanted: string | undefined, options: { commandLine?: boolean }) =>
    cli.perform(command, async (run) => {
      if (wanted === undefined) {
        const info = await run.client.host.info()
        return run.answer(info, hostFacts(info))
      }
      const machine = await run.machine(wanted)
      if (options.commandLine === true) {
        const { argv } = await run.client.machine.commandLine({ id: machine.id })
        return run.answer({ id: machine.id, name: machine.definition.name, argv }, `${argv.map(quotedForShell).join(' ')}\n`)
      }
      const snapshots = await countSnapshots(run, machine.id)
      run.answer({ ...machineAsJson(machine), snapshotCount: snapshots }, machineFacts(machine, snapshots, Date.now()))
    }),
  )
}

/** null: they can't be listed; that keeps nobody from seeing the rest. */
async function countSnapshots(run: Run, id: string): Promise<number | null> {
  try {
    return (await run.client.snapshot.tree({ id })).snapshots.length
  } catch {
    return null
  }
}

export function registerScreenshot(cli: Cli): void {
  const command = cli.command('screenshot <machine> <file>', 'Saves the machine’s screen as PNG; - is standard output.')
  command.action((wanted: string, file: string) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const picture = await run.client.machine.screenshot({ id: machine.id })
      await answerPicture(run, { id: machine.id, name: machine.definition.name }, picture, file)
    }),
  )
}

export function registerLog(cli: Cli): void {
  const command = cli
    .command('log <machine>', 'The last lines of a machine’s log.')
    .addOption(new Option('--of <log>', 'which log').choices(['machine', 'qemu', 'serial0']).default('machine'))
    .option('--bytes <number>', 'how much of its end, at most 1048576', (text) => {
      if (!/^\d{1,7}$/u.test(text) || Number(text) < 1 || Number(text) > 1_048_576) throw new InvalidArgumentError('It is a number from 1 to 1048576.')
      return Number(text)
    }, 65_536)
  command.action((wanted: string, options: { of: 'machine' | 'qemu' | 'serial0'; bytes: number }) =>
    cli.perform(command, async (run) => {
      const { id } = await run.machine(wanted)
      const log = await run.client.machine.log({ id, log: options.of, maxBytes: options.bytes })
      if (run.json) return run.answer(log, '')
      const text = log.text === '' || log.text.endsWith('\n') ? log.text : `${log.text}\n`
      // What the guest printed is for the terminal as it is, as its console is.
      run.terminal.stdout.write(options.of === 'serial0' ? text : shown(text))
    }),
  )
}

function hostFacts(info: HostInfo): string {
  return facts([
    ['Ringside', info.version],
    ['Computer', `${info.hostName}, ${info.osName} (${info.arch})`],
    ['Processor', `${info.processorModel}, ${String(info.logicalProcessors)} logical`],
    ['Memory', `${sizeInWords(info.memoryMiB * 2 ** 20)}, ${sizeInWords(info.freeMemoryMiB * 2 ** 20)} free`],
    ['Library', `${info.libraryFolder} (${sizeInWords(info.libraryFreeBytes)} free)`],
  ])
}

function machineFacts(machine: MachineView, snapshots: number | null, now: number): string {
  const { definition, task, run, crash, saved } = machine
  const { origin, snapshotPolicy, backupPolicy } = definition
  const place = (image: ImageLocation): string => (image.kind === 'own' ? image.path : image.path)
  const since = durationInWords(now - Date.parse(machine.stateSince))
  return facts([
    ['Name', definition.name],
    ['State', `${stateInWords(machine.state)} for ${since}`],
    ['Task', task && taskInWords(task)],
    ['Run', run?.disposable === true ? 'disposable: what the guest writes is thrown away when it is off' : null],
    ['Template', definition.template ? 'yes: frozen for cloning' : null],
    ['Origin', origin && `${origin.kind === 'linked' ? 'linked clone: reads from the disks of' : 'copied from'} “${origin.machineName}” (${origin.machineId.slice(0, 8)})`],
    ['Crash', crash && `${crash.reason} (${crash.at})`],
    ['Saved', saved && `${saved.at}, ${sizeInWords(saved.sizeBytes)}, QEMU ${saved.qemuVersion}`],
    ['Runs on', run && `${run.accelerator}, QEMU ${run.qemuVersion}, process ${String(run.qemuPid ?? 'unknown')}, worker ${String(run.workerPid ?? 'unknown')}`],
    ['Note', run?.acceleratorNote],
    ...(run?.notes ?? []).map((note) => ['Note', note] as const),
    ['Snapshots', snapshots === null ? 'unknown' : String(snapshots)],
    ['Automatic', snapshotPolicy && policyInWords(snapshotPolicy)],
    ['Backups', backupPolicy && backupsInWords(backupPolicy)],
    ['System', definition.osId],
    ['Machine', `${definition.machineType}, ${definition.firmware.type === 'uefi' ? `UEFI${definition.firmware.secureBoot ? ' with Secure Boot' : ''}` : 'BIOS'}`],
    ['TPM', definition.tpm && `${definition.tpm.version} (${definition.tpm.model})`],
    ['Processors', `${String(processorCount(definition.processors))} (${definition.processors.model})`],
    ['Memory', sizeInWords(definition.memoryMiB * 2 ** 20)],
    ['Kernel', definition.boot.kernel && `${place(definition.boot.kernel.kernel)} ${definition.boot.kernel.commandLine}`.trim()],
    ...definition.disks.map((disk) => [`Disk ${disk.id}`, `${place(disk.image)} (${disk.format}, ${disk.bus}${disk.readOnly ? ', read-only' : ''})`] as const),
    ...definition.cdroms.map((drive) => [`CD ${drive.id}`, drive.image === null ? 'empty' : place(drive.image)] as const),
    ...definition.nics.map((nic) => [`Network ${nic.id}`, `${nic.model}, ${nic.macAddress}, ${nic.backend.type}`] as const),
    ['Display', definition.display.model],
    ['Folder', machine.folder],
    ['Id', machine.id],
  ])
}
