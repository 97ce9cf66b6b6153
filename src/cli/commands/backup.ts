import { resolve } from 'node:path'
import { InvalidArgumentError, Option } from 'commander'
import type { Backup, BackupPolicy } from '@shared/model'
import { usageError, type Cli } from '../cli'
import { answerMadeMachine } from '../answer-made-machine'
import { agrees, requirePerson } from '../confirm'
import { findBackup } from '../find-backup'
import { followJob, remarkNotes } from '../follow-job'
import { machineAsJson, sizeInWords, table } from '../output'
import { machineOf, timeInWords } from '../snapshot-output'

type Group = Pick<Cli, 'command'>

/** `ringside backup …` */
export function registerBackup(cli: Cli): void {
  const group = cli.group('backup', 'Backups of machines to a folder, of what changed since the last one: make, look at, verify, restore, delete.')
  registerCreate(cli, group)
  registerList(cli, group)
  registerVerify(cli, group)
  registerRestore(cli, group)
  registerDelete(cli, group)
  registerSchedule(cli, group)
}

function registerCreate(cli: Cli, group: Group): void {
  const command = group
    .command('create <machine>', 'Backs a machine up as it is at one instant; it goes on meanwhile. Only what changed is written, where that can be proved.')
    .option('--to <folder>', 'where to; remembered for the machine that has no such folder yet')
    .option('--full', 'whole, although what changed would do')
    .option('--no-compress', 'faster, and larger')
    .option('--no-quiesce', 'do not have the guest agent hold the guest’s file systems still for the instant')
    .option('--verify', 'read everything again when it is written')
    .addHelpText('after', '\nExamples:\n  ringside backup create web-01 --to /media/ada/Backup\n  ringside backup create web-01 --verify')
  command.action((wanted: string, options: { to?: string; full?: boolean; compress: boolean; quiesce: boolean; verify?: boolean }) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const { id } = machine
      const folder = options.to === undefined ? null : resolve(options.to)
      const job = await run.client.backup.create({ id, folder, full: options.full === true, compress: options.compress, quiesce: options.quiesce, verify: options.verify === true })
      const { notes } = await followJob(run, job)
      const backup = (await run.client.backup.list({ folder, id })).sets[0]?.backups.at(-1)
      run.answer({ ...machineOf(machine), backup, notes }, `“${machine.definition.name}” is backed up${backup === undefined ? '' : `: ${kindInWords(backup)}, ${sizeInWords(backup.sizeBytes)}`}.\n`)
      remarkNotes(run, notes)
    }),
  )
}

function registerList(cli: Cli, group: Group): void {
  const command = group
    .command('list [machine]', 'The backups of a machine, or everything in a folder.')
    .option('--folder <folder>', 'look there, also for machines that are gone or of another computer')
    .addHelpText('after', '\nSIZE is what that backup alone takes; an incremental one needs those before it.\n\nExamples:\n  ringside backup list web-01\n  ringside backup list --folder /media/ada/Backup')
  command.action((wanted: string | undefined, options: { folder?: string }) =>
    cli.perform(command, async (run) => {
      if (wanted === undefined && options.folder === undefined) throw usageError('error: name a machine or a --folder')
      const id = wanted === undefined ? null : (await run.machine(wanted)).id
      const found = await run.client.backup.list({ folder: options.folder === undefined ? null : resolve(options.folder), id })
      const rows = found.sets.flatMap(({ machine, backups }) => backups.map((backup) => [machine.name, timeInWords(backup.takenAt), kindInWords(backup), sizeInWords(backup.sizeBytes), stateInWords(backup), backup.id]))
      run.answer(found, found.away !== null ? `${found.away}\n` : rows.length === 0 ? `There are no backups yet: ${found.folder}\n` : table(['MACHINE', 'TAKEN', 'KIND', 'SIZE', 'VERIFIED', 'ID'], rows))
      for (const { problems } of found.sets) for (const problem of problems) run.remark(`${problem}\n`)
    }),
  )
}

function kindInWords({ disks, kind }: Backup): string {
  const changes = disks.filter(({ incremental }) => incremental).length
  const what = changes === 0 ? 'full' : changes === disks.length ? 'incremental' : 'partly incremental'
  return kind === 'automatic' ? `${what}, automatic` : what
}

function stateInWords({ fault, verified }: Backup): string {
  if (fault !== null) return 'damaged'
  return verified === null ? '-' : timeInWords(verified.checkedAt)
}

const folderOption = ['--folder <folder>', 'look there, also for machines that are gone or of another computer'] as const

function registerVerify(cli: Cli, group: Group): void {
  const command = group
    .command('verify <machine> [backup]', 'Reads everything of a backup again and compares it with its checksums; without a name, the newest.')
    .option(...folderOption)
    .addHelpText('after', '\nExit code 5: it is damaged.\n\nExample:\n  ringside backup verify web-01 latest')
  command.action((machine: string, wanted: string | undefined, options: { folder?: string }) =>
    cli.perform(command, async (run) => {
      const { reference, backup } = await findBackup(run, machine, wanted ?? 'latest', options.folder)
      const { notes } = await followJob(run, await run.client.backup.verify(reference))
      run.answer({ ...reference, verified: true, notes }, `The backup of ${timeInWords(backup.takenAt)} is sound.\n`)
    }),
  )
}

interface RestoreOptions {
  folder?: string
  as?: string
  inPlace?: boolean
  keepPresent?: string
  sameIdentity?: boolean
  start?: boolean
  yes?: boolean
}

function registerRestore(cli: Cli, group: Group): void {
  const command = group
    .command('restore <machine> [backup]', 'Makes a new machine of a backup, or takes the same one back to it; without a name, the newest.')
    .option(...folderOption)
    .option('--as <name>', 'a new machine of that name')
    .option('--same-identity', 'with the id and network addresses that it had, where it is gone from the library')
    .option('--in-place', 'in the place of what the machine is now; it has to be off')
    .option('--keep-present <name>', 'with --in-place: take a snapshot of what it is now first')
    .option('--start', 'start it then')
    .option('--yes', 'do not ask, though what the machine is now goes to the trash')
    .addHelpText('after', '\nExamples:\n  ringside backup restore web-01 --as web-01-again\n  ringside backup restore web-01 20261104T120200Z --in-place --keep-present "Before restoring"\n  ringside backup restore web-01 latest --folder /media/ada/Backup --as web-01 --same-identity')
  command.action((machine: string, wanted: string | undefined, options: RestoreOptions) =>
    cli.perform(command, async (run) => {
      if ((options.as === undefined) === (options.inPlace !== true)) throw usageError('error: say either --as NAME or --in-place')
      const { reference, backup, set } = await findBackup(run, machine, wanted ?? 'latest', options.folder)
      if (options.inPlace === true && options.keepPresent === undefined && options.yes !== true) {
        requirePerson(run, 'restoring without --keep-present')
        run.remark(`What “${set.machine.name}” is now goes to the trash; it becomes what it was at ${timeInWords(backup.takenAt)}.\n`)
        if (!(await agrees(run, 'Go on? [y/N] '))) return run.answer({ ...reference, restored: false }, 'Nothing was changed.\n')
      }
      const target = options.as === undefined ? { kind: 'same' as const, keepPresent: options.keepPresent ?? null } : { kind: 'new' as const, name: options.as, sameIdentity: options.sameIdentity === true }
      const job = await followJob(run, await run.client.backup.restore({ ...reference, target, startWhenRestored: options.start === true }))
      if (target.kind === 'new') return answerMadeMachine(run, job)
      const now = await run.client.machine.get({ id: set.machine.id })
      run.answer({ ...machineAsJson(now), restored: true, notes: job.notes }, `“${now.definition.name}” is what it was at ${timeInWords(backup.takenAt)}.\n`)
      remarkNotes(run, job.notes)
    }),
  )
}

function registerDelete(cli: Cli, group: Group): void {
  const command = group
    .command('delete <machine> <backup>', 'Deletes a backup. Those that go on from it take over what they need, and stay what they are.')
    .alias('rm')
    .option(...folderOption)
    .option('--yes', 'do not ask')
    .addHelpText('after', '\nExample:\n  ringside backup delete web-01 20261104T120200Z')
  command.action((machine: string, wanted: string, options: { folder?: string; yes?: boolean }) =>
    cli.perform(command, async (run) => {
      const { reference, backup } = await findBackup(run, machine, wanted, options.folder)
      if (options.yes !== true) {
        requirePerson(run, 'deleting')
        if (!(await agrees(run, `Delete the backup of ${timeInWords(backup.takenAt)}? There is no trash for backups. [y/N] `))) return run.answer({ ...reference, deleted: false }, 'Nothing was deleted.\n')
      }
      await followJob(run, await run.client.backup.delete(reference))
      run.answer({ ...reference, deleted: true }, 'Deleted.\n')
    }),
  )
}

interface ScheduleOptions {
  to?: string
  every?: 'hour' | 'day' | 'week'
  manual?: boolean
  keepHourly?: number
  keepDaily?: number
  keepWeekly?: number
  compress?: boolean
  quiesce?: boolean
  verify?: boolean
  off?: boolean
}

function registerSchedule(cli: Cli, group: Group): void {
  const command = group
    .command('schedule <machine>', 'Backups by themselves: shows where they go, when they are made and which stay, or changes that.')
    .option('--to <folder>', 'where to')
    .addOption(new Option('--every <period>', 'how often, and only when something was written').choices(['hour', 'day', 'week']))
    .option('--manual', 'none by themselves; the folder stays')
    .option('--keep-hourly <number>', 'keep the newest of each of the last so many hours', upTo(168))
    .option('--keep-daily <number>', 'of each of the last so many days', upTo(366))
    .option('--keep-weekly <number>', 'of each of the last so many weeks', upTo(520))
    .option('--compress', 'smaller')
    .option('--no-compress', 'faster, and larger')
    .option('--quiesce', 'have the guest agent hold the guest’s file systems still for the instant, where it answers')
    .option('--no-quiesce', 'as after a power cut')
    .option('--verify', 'read everything again when it is written')
    .option('--no-verify', 'do not')
    .option('--off', 'forget folder and times; backups that are there stay')
    .addHelpText('after', '\nThey are made while Ringside runs: its window, or `ringside serve`. While the drive is away they wait for it.\nOnly automatic backups are ever removed by it.\n\nExamples:\n  ringside backup schedule web-01 --to /media/ada/Backup --every day --keep-daily 14\n  ringside backup schedule web-01 --manual')
  command.action((wanted: string, { off, json: _json, ...options }: ScheduleOptions & { json?: boolean }) =>
    cli.perform(command, async (run) => {
      const changes = Object.values(options).some((value) => value !== undefined)
      if (off === true && changes) throw usageError('error: --off goes with no other option')
      if (options.manual === true && options.every !== undefined) throw usageError('error: --manual and --every exclude each other')
      const found = await run.machine(wanted)
      const before = found.definition.backupPolicy
      if (off !== true && changes && before === null && options.to === undefined) throw usageError('error: say where to with --to')
      const machine = off === true || changes ? await run.client.backup.setPolicy({ id: found.id, policy: off === true ? null : policyFrom(options, before) }) : found
      const policy = machine.definition.backupPolicy
      run.answer({ ...machineOf(machine), policy }, `“${machine.definition.name}”: ${policy === null ? 'no backups' : backupsInWords(policy)}.\n`)
    }),
  )
}

/** What is not said stays as it was. */
function policyFrom(options: ScheduleOptions, before: BackupPolicy | null): Omit<BackupPolicy, 'folderId'> {
  const keep = before?.keep ?? { hourly: 0, daily: 7, weekly: 4 }
  return {
    folder: options.to === undefined ? (before?.folder ?? '') : resolve(options.to),
    every: options.manual === true ? null : (options.every ?? before?.every ?? null),
    keep: { hourly: options.keepHourly ?? keep.hourly, daily: options.keepDaily ?? keep.daily, weekly: options.keepWeekly ?? keep.weekly },
    compress: options.compress ?? before?.compress ?? true, quiesce: options.quiesce ?? before?.quiesce ?? true, verify: options.verify ?? before?.verify ?? false,
  }
}

/** As in `every day to /media/ada/Backup; keeps …`. */
export function backupsInWords({ every, folder, keep, verify }: BackupPolicy): string {
  if (every === null) return `to ${folder}, when asked`
  const kept = ([[keep.hourly, 'hour'], [keep.daily, 'day'], [keep.weekly, 'week']] as const).filter(([count]) => count > 0).map(([count, unit]) => (count === 1 ? `the newest of the last ${unit}` : `one of each of the last ${String(count)} ${unit}s`))
  return `every ${every} to ${folder}${verify ? ', verified' : ''}; keeps ${kept.join(', ')}`
}

function upTo(most: number): (text: string) => number {
  return (text) => {
    if (!/^\d{1,3}$/u.test(text) || Number(text) > most) throw new InvalidArgumentError(`It is a whole number from 0 to ${String(most)}.`)
    return Number(text)
  }
}
