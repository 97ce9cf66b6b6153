import type { GuestInfo } from '@shared/model'
import type { Cli } from '../cli'
import { facts, sizeInWords, table } from '../output'
import { machineOf } from '../snapshot-output'

export function registerGuestInfo(cli: Cli, group: Pick<Cli, 'command'>): void {
  const command = group
    .command('info <machine>', 'What a running guest tells of itself: system, name, addresses, file systems, who is logged in.')
    .addHelpText('after', '\nThe guest needs qemu-guest-agent; where none answers, it is said how to get it.\n\nExamples:\n  ringside guest info web-01\n  ringside guest info web-01 --json | jq -r \'.interfaces[].addresses[].address\'')
  command.action((wanted: string) =>
    cli.perform(command, async (run) => {
      const machine = await run.machine(wanted)
      const info = await run.client.guest.info({ id: machine.id })
      run.answer({ ...machineOf(machine), ...info }, infoInWords(info))
      for (const why of new Set([...Object.values(info.unknown), ...Object.values(info.cannot)])) run.remark(`${why}\n`)
    }),
  )
}

function infoInWords({ agentVersion, os, hostName, interfaces, fileSystems, users, timeZone }: GuestInfo): string {
  const about = facts([
    ['System', os?.name],
    ['Kernel', os === null ? null : [os.kernel, os.architecture].filter((word) => word !== null).join(', ')],
    ['Host name', hostName],
    ['Time zone', timeZone === null ? null : `${timeZone.name ?? ''} ${offsetInWords(timeZone.offsetSeconds)}`.trim()],
    ['Logged in', users === null ? null : users.map(({ name }) => name).join(', ') || 'nobody'],
    ...(interfaces ?? []).map(({ name, addresses }) => [name, addresses.map(({ address, prefix }) => `${address}/${String(prefix)}`).join('\n') || 'no address'] as const),
    ['Agent', agentVersion],
  ])
  if (fileSystems === null || fileSystems.length === 0) return about
  const size = (bytes: number | null): string => (bytes === null ? '-' : sizeInWords(bytes))
  const rows = fileSystems.map(({ mountPoint, type, usedBytes, totalBytes }) => [
    mountPoint, type, size(usedBytes), size(totalBytes), usedBytes === null || totalBytes === null ? '-' : `${String(Math.round((usedBytes / totalBytes) * 100))} %`,
  ])
  return `${about}\n${table(['MOUNTED ON', 'TYPE', 'USED', 'SIZE', 'FULL'], rows)}`
}

function offsetInWords(seconds: number): string {
  const minutes = Math.round(Math.abs(seconds) / 60)
  return `UTC${seconds < 0 ? '-' : '+'}${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
}
