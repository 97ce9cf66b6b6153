import type { Cli } from '../cli'
import { registerGuestCopy } from './guest-copy'
import { registerGuestInfo } from './guest-info'
import { registerGuestPassword } from './guest-password'
import { registerGuestRun } from './guest-run'

/** `ringside guest …` */
export function registerGuest(cli: Cli): void {
  const group = cli.group('guest', 'A running guest, through its agent (qemu-guest-agent): look at it, run programs in it, copy files.')
  registerGuestInfo(cli, group)
  registerGuestRun(cli, group)
  registerGuestCopy(cli, group)
  registerGuestPassword(cli, group)
}
