import { chmod, copyFile, mkdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ErrorCode, RingsideError } from '@shared/errors'
import type { Inspection } from '@core/storage'
import { grubIso, linuxGuest, memtestIso } from './support/guests'
import { qemuImg, storageHost, type StorageHost } from './support/storage-host'
import { TemporaryFolder } from './support/temporary-folder'

/* Images made by the real qemu-img and discs out of Debian's packages, looked at as a person's would be. */

let folder: TemporaryFolder
let host: StorageHost

beforeAll(async () => {
  folder = await TemporaryFolder.make()
  host = await storageHost(folder.path)
})
afterAll(async () => {
  await folder[Symbol.asyncDispose]()
})

const inspect = (path: string): Promise<Inspection> => host.storage.examine(path)

async function faultOf(path: string, code: ErrorCode): Promise<RingsideError> {
  const { faults, report } = await inspect(path)
  expect(faults.map((fault) => fault.code)).toEqual([code])
  expect(report.issues.filter((issue) => issue.severity === 'error')).toHaveLength(1)
  return faults[0]!
}

/** A qcow2 with 8 MiB of data that compresses to nothing. */
async function filledQcow2(name: string): Promise<string> {
  const raw = folder.in(`${name}.raw`)
  await writeFile(raw, Buffer.alloc(8 * 1024 * 1024, 'ringside'))
  const path = folder.in(name)
  await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, path)
  return path
}

describe('an image that qemu-img made', () => {
  test.each([
    ['qcow2', [], 'qcow2'],
    ['qcow2', ['-o', 'compat=0.10'], 'qcow2'],
    ['qcow2', ['-o', 'extended_l2=on,cluster_size=128k,lazy_refcounts=on,preallocation=metadata'], 'qcow2'],
    ['vmdk', [], 'vmdk'],
    ['vmdk', ['-o', 'subformat=streamOptimized'], 'vmdk'],
    ['vmdk', ['-o', 'subformat=monolithicFlat'], 'vmdk'],
    ['vmdk', ['-o', 'subformat=twoGbMaxExtentSparse'], 'vmdk'],
    ['vdi', [], 'vdi'],
    ['vdi', ['-o', 'static=on'], 'vdi'],
    ['vhdx', [], 'vhdx'],
    ['vpc', ['-o', 'force_size=on'], 'vpc'],
    ['vpc', ['-o', 'subformat=fixed,force_size=on'], 'vpc'],
    ['raw', [], 'raw'],
  ] as const)('as %s %j is known, with its size and no fault', async (format, options, expected) => {
    const path = folder.in(`made-${format}-${options.join('').replaceAll(/[^a-z0-9]/giu, '')}`)
    await qemuImg('create', '-q', '-f', format, ...options, path, '64M')
    const { report, faults } = await inspect(path)
    expect(faults).toEqual([])
    expect(report).toMatchObject({ kind: 'disk', format: expected, virtualBytes: 64 * 1024 * 1024, issues: [] })
  })
})

describe('a path that is of no use', () => {
  test('missing', async () => {
    const path = folder.in('gone.iso')
    expect(await faultOf(path, 'FILE_NOT_FOUND')).toMatchObject({ message: `There is no such file: ${path}`, data: { path } })
  })

  test('a folder in place of an ISO', async () => {
    expect((await faultOf(folder.path, 'NOT_A_FILE')).message).toBe(`This is a folder, not a file: ${folder.path}`)
  })

  test('0 bytes', async () => {
    const path = folder.in('empty.qcow2')
    await writeFile(path, '')
    expect((await faultOf(path, 'FILE_EMPTY')).message).toBe(`The file is empty, it has 0 bytes: ${path}`)
  })

  test('unreadable: as another user than root, to whom nothing is', async ({ skip }) => {
    const { seteuid } = process
    if (seteuid === undefined) {
      skip('this system has no users to change to')
      return
    }
    const path = folder.in('secret.iso')
    await copyFile(await memtestIso(), path)
    await chmod(path, 0o000)
    await chmod(folder.path, 0o755)
    const isRoot = process.geteuid?.() === 0
    if (isRoot) seteuid.call(process, 65534)
    try {
      const { faults } = await inspect(path)
      expect(faults.map((fault) => fault.code)).toEqual(['FILE_UNREADABLE'])
      expect(faults[0]?.message).toBe(`Permission denied; this can't be read: ${path}`)
      expect(faults[0]?.data.hint).toMatch(/^Change the permissions of the file and of the folders above it/u)
    } finally {
      if (isRoot) seteuid.call(process, 0)
    }
  })
})

describe('a qcow2 that was cut', () => {
  test.each([0.001, 0.01, 0.3, 0.6, 0.95])('to %d of its length is damaged, and says how much is missing', async (fraction) => {
    const path = await filledQcow2(`cut-${String(fraction)}.qcow2`)
    const { size } = await stat(path)
    await truncate(path, Math.floor(size * fraction))
    expect((await faultOf(path, 'IMAGE_DAMAGED')).message).toMatch(
      new RegExp(`^The qcow2 image is cut short: it has .+, and its tables speak of at least .+: ${path}$`, 'u'),
    )
  })

  test('a whole one is not taken for cut: compressed, with snapshots, sparse, or after a discard', async () => {
    const path = await filledQcow2('whole.qcow2')
    const compressed = folder.in('compressed.qcow2')
    await qemuImg('convert', '-c', '-f', 'qcow2', '-O', 'qcow2', path, compressed)
    await qemuImg('snapshot', '-c', 'one', path)
    await qemuImg('resize', '-q', '-f', 'qcow2', path, '+100G')
    for (const whole of [path, compressed]) expect((await inspect(whole)).faults).toEqual([])
  })
})

describe('a qcow2 that reaches for another file', () => {
  test('as its backing file outside the library is refused, naming both', async () => {
    const base = folder.in('base.qcow2')
    await qemuImg('create', '-q', '-f', 'qcow2', base, '16M')
    const path = folder.in('overlay.qcow2')
    await qemuImg('create', '-q', '-f', 'qcow2', '-F', 'qcow2', '-b', base, path)
    const error = await faultOf(path, 'BACKING_FILE_OUTSIDE')
    expect(error.message).toBe(`The image is based on a file outside the library: ${path} needs ${base}`)
    expect(error.data.hint).toMatch(/^A foreign image could read any file of yours that way\./u)
    const inside = join(host.libraryFolder, 'linked')
    await mkdir(inside)
    await symlink(base, join(inside, 'link.qcow2'))
    await qemuImg('rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', join(inside, 'link.qcow2'), path)
    await faultOf(path, 'BACKING_FILE_OUTSIDE')
  })

  test('as its data file is refused', async () => {
    const path = folder.in('split.qcow2')
    await qemuImg('create', '-q', '-f', 'qcow2', '-o', `data_file=${folder.in('split.raw')}`, path, '16M')
    expect((await faultOf(path, 'BACKING_FILE_OUTSIDE')).message).toBe(
      `The image keeps its content in a file outside the library: ${path} needs ${folder.in('split.raw')}`,
    )
  })
})

test('a qcow2 with the encryption of old is refused', async () => {
  const path = folder.in('encrypted.qcow2')
  await qemuImg('create', '-q', '--object', 'secret,id=s,data=x', '-f', 'qcow2', '-o', 'encrypt.format=aes,encrypt.key-secret=s', path, '16M')
  expect((await faultOf(path, 'IMAGE_UNSUPPORTED')).message).toBe(`This image can't be used, it is encrypted (AES): ${path}`)
})

test('a qcow2 of a version to come is refused', async () => {
  const path = folder.in('future.qcow2')
  await qemuImg('create', '-q', '-f', 'qcow2', path, '16M')
  const bytes = await readFile(path)
  bytes.writeUInt32BE(4, 4)
  await writeFile(path, bytes)
  expect((await faultOf(path, 'IMAGE_UNSUPPORTED')).message).toBe(
    `This image can't be used, its qcow version is 4 and only 2 and 3 are known: ${path}`,
  )
})

test('damage that only QEMU finds is told in its words', async () => {
  const path = folder.in('broken.vhdx')
  await qemuImg('create', '-q', '-f', 'vhdx', path, '64M')
  const bytes = await readFile(path)
  bytes.fill(0xff, 64 * 1024, 512 * 1024)
  await writeFile(path, bytes)
  expect((await faultOf(path, 'IMAGE_DAMAGED')).message).toMatch(new RegExp(`^QEMU can't read this vhdx image: ${path} \\(.+\\)$`, 'u'))
})

test('headers of noise are survived, and never opened with a fault of ours', async () => {
  const whole = await readFile(await filledQcow2('noise.qcow2'))
  // A small generator of our own, so that a failure can be repeated.
  let state = 42
  const next = (): number => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31)
  for (let round = 0; round < 60; round += 1) {
    const bytes = Buffer.from(whole.subarray(0, 512 * 1024))
    for (let change = 0; change < 4; change += 1) bytes[4 + (next() % 130)] = next() % 256
    const path = folder.in('noise')
    await writeFile(path, bytes)
    const { report } = await inspect(path)
    for (const issue of report.issues) expect(issue.message).not.toMatch(/undefined|NaN|\[object/u)
  }
})

describe('discs and kernels out of packages', () => {
  test('Memtest86+ is recognised, GRUB’s rescue disc boots though nobody knows its name', async () => {
    expect((await inspect(await memtestIso())).report).toMatchObject({
      kind: 'iso',
      osId: 'memtest86plus',
      bootable: { bios: true },
      issues: [],
    })
    expect((await inspect(await grubIso())).report).toMatchObject({ kind: 'iso', osId: null, bootable: { bios: true }, issues: [] })
  })

  test('half a disc is told from a whole one', async () => {
    const path = folder.in('half.iso')
    const whole = await readFile(await grubIso())
    await writeFile(path, whole.subarray(0, whole.length / 2))
    const { report } = await inspect(path)
    expect(report.issues).toMatchObject([
      {
        severity: 'warning',
        message: expect.stringMatching(/^The disc is cut short: it says that it has .+, and the file has .+\./u) as string,
      },
    ])
  })

  test('Debian’s kernel is a kernel', async () => {
    expect((await inspect((await linuxGuest()).kernel)).report).toMatchObject({ kind: 'kernel', issues: [] })
  })
})
