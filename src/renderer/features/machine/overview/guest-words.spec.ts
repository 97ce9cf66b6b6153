import { expect, test } from 'vitest'
import { addressesOf, commandOf, timeZoneInWords } from './guest-words'

test('addresses that lead nowhere from outside are left out', () => {
  const at = (address: string, family: 'ipv4' | 'ipv6' = 'ipv4'): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } => ({ address, prefix: 24, family })
  expect(addressesOf([
    { name: 'lo', macAddress: null, addresses: [at('127.0.0.1'), at('::1', 'ipv6')] },
    { name: 'eth0', macAddress: null, addresses: [at('10.0.2.15'), at('fe80::1', 'ipv6'), at('fec0::1', 'ipv6')] },
  ])).toEqual([{ address: '10.0.2.15', about: 'eth0, /24' }, { address: 'fec0::1', about: 'eth0, /24' }])
})

test('a time zone has its name and its distance', () => {
  expect(timeZoneInWords({ name: 'CET', offsetSeconds: 3600 })).toBe('CET, UTC+01:00')
  expect(timeZoneInWords({ name: null, offsetSeconds: -12_600 })).toBe('UTC−03:30')
  expect(timeZoneInWords({ name: 'UTC', offsetSeconds: 0 })).toBe('UTC+00:00')
})

test('a command in a hint is found', () => {
  expect(commandOf('Install the agent in the guest: sudo apt install qemu-guest-agent')).toEqual({ before: 'Install the agent in the guest: ', command: 'sudo apt install qemu-guest-agent' })
  expect(commandOf('Install the package qemu-guest-agent in the guest, and start it.')).toBeNull()
  expect(commandOf(undefined)).toBeNull()
})
