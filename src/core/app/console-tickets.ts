import { randomBytes } from 'node:crypto'
import type { ConsoleChannel } from '@shared/contract'

/** How long a ticket may wait for its console to be opened, in milliseconds. */
export const ticketLifetimeMs = 30_000
/** Tickets that may be open at once: a client that asks for more loses its oldest. */
const maxOpenTickets = 256

export interface ConsoleGrant {
  machineId: string
  channel: ConsoleChannel
}

/** Rights to open one console once. Issued over the contract, redeemed by whoever carries console bytes. */
export interface ConsoleTickets {
  issue(grant: ConsoleGrant): string
  /** The grant, which is used up by this; null when the ticket is unknown, used or too old. */
  redeem(ticket: string): ConsoleGrant | null
}

export function createConsoleTickets(now: () => number = () => performance.now()): ConsoleTickets {
  const open = new Map<string, ConsoleGrant & { until: number }>()
  const forgetOld = (): void => {
    for (const [ticket, grant] of open) {
      if (grant.until >= now() && open.size < maxOpenTickets) break
      open.delete(ticket)
    }
  }
  return {
    issue(grant) {
      forgetOld()
      // 256 random bits: a ticket cannot be guessed within its life, so looking it up by key needs no constant time.
      const ticket = randomBytes(32).toString('base64url')
      open.set(ticket, { ...grant, until: now() + ticketLifetimeMs })
      return ticket
    },
    redeem(ticket) {
      const grant = open.get(ticket)
      open.delete(ticket)
      return grant && grant.until >= now() ? { machineId: grant.machineId, channel: grant.channel } : null
    },
  }
}
