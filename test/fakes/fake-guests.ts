import type { Guests, JobReporter } from '@core/app/services'
import { RingsideError } from '@shared/errors'
import { type GuestCopy, type GuestInfo, type MachineView, whyRefused } from '@shared/model'
import { fakeIds } from './fake-data'

const GiB = 2 ** 30

/** What the agent of `web-01` tells. */
export const fakeGuestInfo: GuestInfo = {
  agentVersion: '7.2.22',
  os: { family: 'linux', name: 'Debian GNU/Linux 12 (bookworm)', version: '12', kernel: '6.1.0-28-amd64', architecture: 'x86_64' },
  hostName: 'web-01',
  interfaces: [
    { name: 'lo', macAddress: null, addresses: [{ address: '127.0.0.1', prefix: 8, family: 'ipv4' }, { address: '::1', prefix: 128, family: 'ipv6' }] },
    { name: 'enp1s0', macAddress: '52:54:00:aa:bb:cc', addresses: [{ address: '10.0.2.15', prefix: 24, family: 'ipv4' }, { address: 'fec0::5054:ff:feaa:bbcc', prefix: 64, family: 'ipv6' }] },
  ],
  fileSystems: [
    { mountPoint: '/', type: 'ext4', usedBytes: 11.2 * GiB, totalBytes: 19.6 * GiB },
    { mountPoint: '/boot/efi', type: 'vfat', usedBytes: 6 * 2 ** 20, totalBytes: 511 * 2 ** 20 },
    { mountPoint: '/srv/www', type: 'xfs', usedBytes: 93.1 * GiB, totalBytes: 99.9 * GiB },
  ],
  users: [{ name: 'ada', domain: null, since: '2026-11-20T08:30:00.000Z' }],
  timeZone: null,
  unknown: { timeZone: 'The settings of the guest agent do not allow “guest-get-timezone”.' },
  cannot: {},
}

/** Guests with an agent in `web-01`, in memory: its programs are `echo`, `cat`, `false` and `sleep`, its one file is `/etc/motd`. */
export function createFakeGuests(find: (id: string) => MachineView): Guests {
  const reach = (id: string): void => {
    const machine = find(id)
    const why = whyRefused('useGuest', machine)
    if (why !== null) throw new RingsideError('ILLEGAL_STATE', why, { state: machine.state })
    if (id === fakeIds.running) return
    throw new RingsideError('CAPABILITY_MISSING', `No guest agent answers in “${machine.definition.name}”. It may still be starting, or have no agent.`, { hint: 'Install the agent in the guest: sudo apt install qemu-guest-agent' })
  }
  const copy = async (id: string, { overwrite }: GuestCopy, isThere: boolean, reporter: JobReporter): Promise<void> => {
    reach(id)
    await Promise.resolve()
    reporter.report(0.5, 'Copying')
    if (isThere && !overwrite) throw new RingsideError('FILE_EXISTS', 'There is a file at this path already.', { hint: 'Choose another name, or say that it is to be replaced.' })
    reporter.signal.throwIfAborted()
    reporter.note?.('Copied.')
  }
  return {
    // eslint-disable-next-line @typescript-eslint/require-await
    async info(id) {
      reach(id)
      return fakeGuestInfo
    },
    async run(id, command, signal) {
      reach(id)
      const encode = (text: string): string => Buffer.from(text).toString('base64')
      const ended = { exitCode: 0, signal: null, timedOut: false, stdoutBase64: '', stderrBase64: '', stdoutTruncated: false, stderrTruncated: false }
      switch (command.program) {
        case 'echo':
          return { ...ended, stdoutBase64: encode(`${command.arguments.join(' ')}\n`) }
        case 'cat':
          return { ...ended, stdoutBase64: command.inputBase64 }
        case 'false':
          return { ...ended, exitCode: 1, stderrBase64: encode('false: no\u001b[31m\n') }
        case 'sleep':
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, command.timeoutMs)
            signal.addEventListener('abort', () => { clearTimeout(timer); resolve() })
          })
          if (signal.aborted) throw new RingsideError('CANCELLED', 'Cancelled: the program in the guest was killed.')
          return { ...ended, exitCode: null, signal: 9, timedOut: true }
        default:
          throw new RingsideError('GUEST_FAILED', `The guest agent could not do “guest-exec”: Failed to execute child process “${command.program}” (No such file or directory)`)
      }
    },
    // eslint-disable-next-line @typescript-eslint/require-await
    async setPassword(id, user) {
      reach(id)
      if (user !== 'ada') throw new RingsideError('GUEST_FAILED', 'The guest agent could not do “guest-set-user-password”: child process has failed to set user password')
    },
    copyIn: (id, request, reporter) => copy(id, request, request.guestPath === '/etc/motd', reporter),
    async copyOut(id, request, reporter) {
      reach(id)
      if (request.guestPath !== '/etc/motd') throw new RingsideError('FILE_NOT_FOUND', `The guest has no such file or folder: ${request.guestPath}`, { path: request.guestPath, hint: 'Check the path; it is one of the guest’s.' })
      await copy(id, request, request.hostPath.endsWith('taken'), reporter)
    },
  }
}
