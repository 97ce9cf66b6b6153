import { expect, test } from 'vitest'
import { partitionReach } from './partitions'

const MiB = 2 ** 20

function mbr(entries: { type: number; first: number; sectors: number }[]): Buffer {
  const start = Buffer.alloc(MiB)
  start.writeUInt16LE(0xaa55, 510)
  for (const [index, { type, first, sectors }] of entries.entries()) {
    const at = 446 + index * 16
    start[at + 4] = type
    start.writeUInt32LE(first, at + 8)
    start.writeUInt32LE(sectors, at + 12)
  }
  return start
}

function gpt(partitions: { first: number; last: number }[], { sector = 512, count = 128, size = 128 } = {}): Buffer {
  const start = mbr([{ type: 0xee, first: 1, sectors: 0xffffffff }])
  start.write('EFI PART', sector, 'latin1')
  start.writeBigUInt64LE(2n, sector + 72)
  start.writeUInt32LE(count, sector + 80)
  start.writeUInt32LE(size, sector + 84)
  for (const [index, { first, last }] of partitions.entries()) {
    const at = 2 * sector + index * size
    start.fill(0xab, at, at + 16)
    start.writeBigUInt64LE(BigInt(first), at + 32)
    start.writeBigUInt64LE(BigInt(last), at + 40)
  }
  return start
}

test('partitions of an MBR reach as far as the last of them, an extended one with all that is in it', () => {
  expect(partitionReach(mbr([{ type: 0x83, first: 2048, sectors: 2048 }, { type: 0x05, first: 8192, sectors: 4096 }]))).toEqual({ kind: 'mbr', endBytes: 6 * MiB })
})

test('partitions of a GPT reach as far as the last of them, in sectors of either size', () => {
  expect(partitionReach(gpt([{ first: 4096, last: 8191 }, { first: 2048, last: 4095 }]))).toEqual({ kind: 'gpt', endBytes: 4 * MiB })
  expect(partitionReach(gpt([{ first: 256, last: 511 }], { sector: 4096 }))).toEqual({ kind: 'gpt', endBytes: 2 * MiB })
  expect(partitionReach(gpt([]))).toEqual({ kind: 'gpt', endBytes: 0 })
})

test('an empty disk, and a file system without a partition table, have none', () => {
  expect(partitionReach(Buffer.alloc(MiB))).toEqual({ kind: 'none' })
  expect(partitionReach(mbr([]))).toEqual({ kind: 'none' })
  expect(partitionReach(Buffer.alloc(100))).toEqual({ kind: 'none' })
})

test('a table that makes no sense is said to be unclear, never to be short', () => {
  expect(partitionReach(mbr([{ type: 0xee, first: 1, sectors: 10 }]))).toEqual({ kind: 'unclear' })
  expect(partitionReach(gpt([], { count: 0xffffffff }))).toEqual({ kind: 'unclear' })
  expect(partitionReach(gpt([], { size: 1 }))).toEqual({ kind: 'unclear' })
  expect(partitionReach(gpt([{ first: 1, last: 2 }]).subarray(0, 1100))).toEqual({ kind: 'unclear' })
  const unsigned = gpt([{ first: 1, last: 2 }])
  unsigned.writeUInt16LE(0, 510)
  expect(partitionReach(unsigned)).toEqual({ kind: 'unclear' })
})
