import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SmallestSize } from '@shared/model'
import type { DiskReader } from './prove-shrinkable'
import { findSmallestSize } from './smallest-size'

const MiB = 2 ** 20
let folder: string
beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'ringside-test-')) })
afterAll(() => rm(folder, { recursive: true }))

/** A disk that is zeroes but for what is written to it. What was `allocated` may read as zeroes too. */
async function smallest(virtualBytes: number, written: readonly { at: number; bytes: Buffer }[], allocated: readonly [start: number, length: number][] = []): Promise<SmallestSize> {
  const extents = [...written.map(({ at, bytes }) => [at, bytes.length] as const), ...allocated].sort(([a], [b]) => a - b)
  const tool: DiskReader = {
    eachExtent(_, visit) {
      for (const [start, length] of extents) visit({ start, length, zero: false, data: true, depth: 0, offset: null } as Parameters<typeof visit>[0])
      return Promise.resolve()
    },
    async readStretch(_, { start, length }, target) {
      const read = Buffer.alloc(length)
      for (const { at, bytes } of written) if (at < start + length && at + bytes.length > start) bytes.copy(read, Math.max(0, at - start), Math.max(0, start - at))
      await writeFile(target, read)
    },
  }
  return findSmallestSize(tool, { path: '/disk', format: 'qcow2', virtualBytes }, folder, new AbortController().signal)
}
/** An MBR with one partition. */
function mbr(first: number, sectors: number): { at: number; bytes: Buffer } {
  const bytes = Buffer.alloc(512)
  bytes[450] = 0x83
  bytes.writeUInt32LE(first, 454)
  bytes.writeUInt32LE(sectors, 458)
  bytes.writeUInt16LE(0xaa55, 510)
  return { at: 0, bytes }
}

test('a disk that holds nothing can have any size; one without a partition table can’t be judged', async () => {
  expect(await smallest(64 * MiB, [])).toEqual({ sizeBytes: 512, why: 'It is empty.' })
  expect(await smallest(64 * MiB, [{ at: MiB, bytes: Buffer.alloc(512, 1) }])).toMatchObject({ sizeBytes: null, why: expect.stringContaining('no partition table') as string })
})

test('partitions and what is written behind them bound it, to the sector', async () => {
  const table = mbr(2048, 4096)
  expect(await smallest(64 * MiB, [table])).toEqual({ sizeBytes: 3 * MiB, why: 'Its partitions reach as far as that.' })
  expect(await smallest(256 * MiB, [table], [[3 * MiB, 200 * MiB]])).toMatchObject({ sizeBytes: 3 * MiB })
  expect(await smallest(256 * MiB, [table, { at: 100 * MiB + 700, bytes: Buffer.alloc(1, 9) }], [[3 * MiB, 200 * MiB]])).toEqual({ sizeBytes: 100 * MiB + 1024, why: expect.stringContaining('data') as string })
})

test('a disk that is as small as it can be says why', async () => {
  expect(await smallest(64 * MiB, [mbr(2048, 63 * 2048)])).toMatchObject({ sizeBytes: null, why: expect.stringContaining('smaller within the guest') as string })
  expect(await smallest(64 * MiB, [mbr(2048, 4096), { at: 64 * MiB - 1, bytes: Buffer.alloc(1, 1) }])).toMatchObject({ sizeBytes: null, why: expect.stringContaining('very end') as string })
})

test('what takes long to read is not looked through', async () => {
  expect(await smallest(2 ** 42, [mbr(2048, 4096)], [[MiB, 2 ** 42 - MiB]])).toMatchObject({ sizeBytes: null, why: expect.stringContaining('takes long') as string })
})
