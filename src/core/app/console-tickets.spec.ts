import { expect, test } from 'vitest'
import { createConsoleTickets, ticketLifetimeMs, type ConsoleGrant } from './console-tickets'

const grant: ConsoleGrant = { machineId: '11111111-1111-4111-8111-111111111111', channel: { type: 'serial', port: 1 } }

test('a ticket is good once', () => {
  const tickets = createConsoleTickets()
  const ticket = tickets.issue(grant)
  expect(ticket).toMatch(/^[\w-]{43}$/u)
  expect(tickets.redeem(ticket)).toEqual(grant)
  expect(tickets.redeem(ticket)).toBeNull()
  expect(tickets.redeem('made up')).toBeNull()
})

test('a ticket is good for thirty seconds', () => {
  let now = 0
  const tickets = createConsoleTickets(() => now)
  const [early, late] = [tickets.issue(grant), tickets.issue(grant)]
  now = ticketLifetimeMs
  expect(tickets.redeem(early)).toEqual(grant)
  now += 1
  expect(tickets.redeem(late)).toBeNull()
})

test('unused tickets are not kept for ever', () => {
  const tickets = createConsoleTickets()
  const first = tickets.issue(grant)
  const all = Array.from({ length: 256 }, () => tickets.issue(grant))
  expect(tickets.redeem(first)).toBeNull()
  expect(tickets.redeem(all.at(-1) ?? '')).toEqual(grant)
})
