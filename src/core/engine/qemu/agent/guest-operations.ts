import type { GuestCommand, GuestCommandResult, GuestInfo } from '@shared/model'
import type { EngineGuest } from '../../engine'
import type { AgentLine } from './agent-line'
import { copyIn, copyOut } from './guest-copy'
import { readGuestInfo } from './guest-info'
import { runInGuest } from './guest-run'

/** What is asked of a running guest through its agent; see `EngineGuest` for the contract. */
export class GuestOperations implements EngineGuest {
  /** @param requireLine throws when the guest can't be asked now */
  constructor(private readonly requireLine: () => AgentLine) {}

  async info(): Promise<GuestInfo> {
    return readGuestInfo(this.requireLine())
  }

  async run(command: GuestCommand, signal: AbortSignal): Promise<GuestCommandResult> {
    return runInGuest(this.requireLine(), command, signal)
  }

  async setPassword(user: string, password: string): Promise<void> {
    await this.requireLine().ask('guest-set-user-password', { username: user, password: Buffer.from(password, 'utf8').toString('base64'), crypted: false }, { limitMs: 30_000 })
  }

  async copyIn(order: { hostPath: string; guestPath: string; overwrite: boolean }, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<string[]> {
    return copyIn(this.requireLine(), order, { onProgress, signal })
  }

  async copyOut(order: { guestPath: string; partialPath: string }, onProgress: (fraction: number | null) => void, signal: AbortSignal): Promise<void> {
    await copyOut(this.requireLine(), order, { onProgress, signal })
  }
}
