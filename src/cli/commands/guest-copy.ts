import { resolve, sep } from 'node:path'
import { usageError, type Cli } from '../cli'
import { followJob, remarkNotes } from '../follow-job'
import { machineOf } from '../snapshot-output'

export function registerGuestCopy(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('copy <from> <to>', 'Copies a file into the guest, or out of it.')
    .option('--overwrite', 'replace a file that is there')
    .addHelpText('after', '\nThe side of the guest is written <machine>:<whole path>. A path that ends in a slash is a folder, in which the file keeps its name.\nA file appears under its name when it is whole. One that is replaced in the guest hands on its owner and its permissions.\n\nExamples:\n  ringside guest copy site.tar.gz web-01:/tmp/\n  ringside guest copy web-01:/var/log/syslog .\n  ringside guest copy report.txt "windows-11:C:\\Users\\ada\\report.txt" --overwrite')
  command.action((from: string, to: string, options: { overwrite?: boolean }) =>
    cli.perform(command, async (run) => {
      const [source, target] = [sideOfGuest(from), sideOfGuest(to)]
      if ((source === null) === (target === null)) throw usageError('error: one of the two is a file in a guest, written <machine>:<whole path>, the other one is on this computer')
      const guest = source ?? target
      const machine = await run.machine(guest?.machine ?? '')
      const request = { id: machine.id, hostPath: absolute(source === null ? from : to), guestPath: guest?.path ?? '', overwrite: options.overwrite === true }
      const job = source === null ? await run.client.guest.copyIn(request) : await run.client.guest.copyOut(request)
      const { notes } = await followJob(run, job)
      run.answer({ ...machineOf(machine), notes }, 'Copied.\n')
      remarkNotes(run, notes)
    }),
  )
}

/** `web-01:/tmp/x` or `windows-11:C:\x`; null for a path of this computer, also when that is one of Windows. */
function sideOfGuest(text: string): { machine: string; path: string } | null {
  const [, machine, path] = /^(.{2,}?):(\/.*|[A-Za-z]:[\\/].*|\\\\.*)$/su.exec(text) ?? []
  return machine === undefined || path === undefined ? null : { machine, path }
}

/** Of the command's folder, not of the host's. An ending slash says that it is a folder. */
function absolute(path: string): string {
  return /[\\/]$/u.test(path) && !resolve(path).endsWith(sep) ? `${resolve(path)}${sep}` : resolve(path)
}
