import { expect, test } from 'vitest'
import { expectedProbeAnswer, isProbeAnswer, probeGuestArgs } from './probe-answer'
import { assembleProbeRom } from './probe-rom'

test('only the exact line together with the exit code of the guest is an answer', () => {
  const line = `${expectedProbeAnswer()}\r\n`
  expect(isProbeAnswer(line, 33)).toBe(true)
  expect(isProbeAnswer(line, 0)).toBe(false)
  expect(isProbeAnswer(line, null)).toBe(false)
  expect(isProbeAnswer('', 33)).toBe(false)
  expect(isProbeAnswer('ringside-probe ok 0000000000000000\r\n', 33)).toBe(false)
})

test('the answer carries 64 bits of hexadecimal', () => {
  expect(expectedProbeAnswer()).toMatch(/^ringside-probe ok [0-9a-f]{16}$/)
})

test('the ROM path is an argument of its own, so that commas and spaces in it are harmless', () => {
  const args = probeGuestArgs('/tmp/a, b/probe.rom')
  expect(args[args.indexOf('-bios') + 1]).toBe('/tmp/a, b/probe.rom')
})

test('the ROM is 64 KiB, has a few hundred bytes of code, and a far jump at the reset vector', () => {
  const rom = assembleProbeRom()
  expect(rom.length).toBe(0x10000)
  expect(Buffer.from(rom.subarray(0xfff0, 0xfff5)).toString('hex')).toBe('ea000000f0')
  expect(rom.filter((byte) => byte !== 0xf4).length).toBeLessThan(1200)
})
