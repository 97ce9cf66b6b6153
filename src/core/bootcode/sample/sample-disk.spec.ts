import { expect, test } from 'vitest'
import { readBootCount } from './boot-record'
import { disk, record, sectorBytes } from './layout'
import { assembleSampleDisk, sampleMachineFacts } from './sample-disk'

const image = assembleSampleDisk()

test('the disk has the size it says and a boot sector that a BIOS starts', () => {
  expect(image.length).toBe(sampleMachineFacts.diskBytes)
  expect([...image.subarray(510, 512)]).toEqual([0x55, 0xaa])
})

test('the disk is the same each time, so that a test can compare it', () => {
  expect(Buffer.from(assembleSampleDisk()).equals(image)).toBe(true)
})

test('a new disk has no boots, and its record is recognised by its magic and checksum', () => {
  expect(readBootCount(image)).toBe(0)
  expect(readBootCount(image.subarray(0, 2 * sectorBytes))).toBe(0)
})

test.each([
  ['another magic', 0],
  ['another format', record.formatOffset],
  ['a count that the checksum does not know', record.bootsOffset],
])('a record with %s counts as damaged', (_what, offset) => {
  const damaged = image.slice(0, 2 * sectorBytes)
  damaged[disk.record * sectorBytes + offset]! ^= 1
  expect(readBootCount(damaged)).toBeNull()
})

test('a disk that is too short has no count', () => {
  expect(readBootCount(new Uint8Array(100))).toBeNull()
})
