import { createHash } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { ImageExtent } from '../engine/qemu'
import { blockBytes, contentHash, hashDisk, rangesOf } from './block-hashes'

const MiB = blockBytes
const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const temporaryFolder = join(tmpdir(), `ringside-hash-${String(process.pid)}`)
afterAll(() => rm(temporaryFolder, { recursive: true, force: true }))

/** A disk whose layers are told by a test. */
function hash(content: Buffer, extents: ImageExtent[], base: Uint8Array | null): Promise<Buffer> {
  return hashDisk({
    tool: {
      eachExtent: (_, visit) => { for (const extent of extents) visit(extent); return Promise.resolve() },
      readStretch: (_, { start, length }, target) => writeFile(target, content.subarray(start, start + length)),
    },
    image: { path: '/disk', format: 'qcow2' }, virtualBytes: content.length, base, temporaryFolder, onProgress: () => undefined, signal: new AbortController().signal,
  })
}

test('each MiB has a checksum, a shorter last one and empty ones too', async () => {
  const content = Buffer.concat([Buffer.alloc(MiB, 1), Buffer.alloc(MiB), Buffer.alloc(512, 2)])
  const blocks = await hash(content, [{ start: 0, length: MiB, depth: 0, zero: false, data: true }, { start: MiB, length: MiB, depth: 0, zero: true, data: false }, { start: 2 * MiB, length: 512, depth: 0, zero: false, data: true }], null)
  expect([0, 1, 2].map((block) => blocks.toString('hex', block * 32, block * 32 + 32))).toEqual([hashOf(content.subarray(0, MiB)), hashOf(Buffer.alloc(MiB)), hashOf(content.subarray(2 * MiB))])
  expect(contentHash(blocks)).toBe(hashOf(blocks))
})

test('of what a layer has itself, zeroes included, checksums are taken anew; all others stay', async () => {
  const before = Buffer.concat([Buffer.alloc(MiB, 1), Buffer.alloc(MiB, 2), Buffer.alloc(MiB, 3)])
  const all: ImageExtent = { start: 0, length: 3 * MiB, depth: 0, zero: false, data: true }
  const base = await hash(before, [all], null)
  const after = Buffer.concat([Buffer.alloc(MiB, 1), Buffer.alloc(MiB), Buffer.alloc(MiB, 3), Buffer.alloc(MiB, 4)])
  const blocks = await hash(after, [
    { start: 0, length: MiB, depth: 1, zero: false, data: true }, { start: MiB, length: MiB, depth: 0, zero: true, data: false },
    { start: 2 * MiB, length: MiB, depth: 1, zero: false, data: true }, { start: 3 * MiB, length: MiB, depth: 0, zero: false, data: true },
  ], base)
  expect(blocks).toEqual(await hash(after, [{ ...all, length: 4 * MiB }], null))
})

test('stretches that are near each other are read at once, and none is longer than a file may be', () => {
  const wanted = new Uint8Array(700)
  for (const block of [0, 5, 100]) wanted[block] = 1
  expect(rangesOf(wanted)).toEqual([{ first: 0, length: 6 }, { first: 100, length: 1 }])
  expect(rangesOf(new Uint8Array(600).fill(1)).map(({ length }) => length)).toEqual([256, 256, 88])
  expect(rangesOf(new Uint8Array(3))).toEqual([])
})
