import { describe, expect, test } from 'vitest'
import { memorySource } from './byte-source'
import { decideBootability, diskBootability } from './disk-start'
import { makeBootCatalog, makeBzImage, makeIso, makeLuks, makeMbrDisk, makeQcow2, makeVdi, makeVhdFooter, makeVmdk } from './images.fixture'
import { detectImageFormat } from './image-format'
import { readBootCatalog, readDisc } from './iso9660'
import { readLuksHeader } from './luks'
import { findMissingBytes, hasOwnData, readQcow2Header } from './qcow2'
import { parseDescriptor, readVmdk } from './vmdk'

const at = (offset: number, text: string, length = 8192): Buffer => {
  const bytes = Buffer.alloc(length, 1)
  bytes.write(text, offset, 'latin1')
  return bytes
}

function pe(subsystem: number): Buffer {
  const bytes = Buffer.alloc(1024)
  bytes.write('MZ', 0, 'latin1')
  bytes.writeUInt32LE(0x80, 0x3c)
  bytes.write('PE\0\0', 0x80, 'latin1')
  bytes.writeUInt16LE(subsystem, 0x80 + 92)
  return bytes
}

describe('the format of a file is decided from its bytes', () => {
  test.each([
    ['qcow2', makeQcow2(), { kind: 'disk', format: 'qcow2' }],
    ['a sparse vmdk', makeVmdk('# Disk DescriptorFile\n'), { kind: 'disk', format: 'vmdk' }],
    ['an ESX vmdk', at(0, 'COWD'), { kind: 'disk', format: 'vmdk' }],
    ['a vmdk descriptor', Buffer.from('# Disk DescriptorFile\nversion=1\n'), { kind: 'disk', format: 'vmdk' }],
    [
      'a vmdk descriptor behind a comment',
      Buffer.from('# made by hand\n\n# Disk DescriptorFile\nversion=1\n'),
      { kind: 'disk', format: 'vmdk' },
    ],
    ['vdi', makeVdi(1, 4096), { kind: 'disk', format: 'vdi' }],
    ['vhdx', at(0, 'vhdxfile'), { kind: 'disk', format: 'vhdx' }],
    ['a dynamic vhd', Buffer.concat([makeVhdFooter(3, 4096), Buffer.alloc(4096)]), { kind: 'disk', format: 'vpc' }],
    ['a fixed vhd', Buffer.concat([makeMbrDisk(), makeVhdFooter(2, 1024 * 1024)]), { kind: 'disk', format: 'vpc' }],
    ['a disk with an MBR', makeMbrDisk(), { kind: 'disk', format: 'raw' }],
    ['a disk with a GPT of 4 KiB sectors', at(4096, 'EFI PART'), { kind: 'disk', format: 'raw' }],
    ['an empty disk', Buffer.alloc(100 * 512), { kind: 'disk', format: 'raw' }],
    ['an ISO', makeIso({ volumeId: 'X' }), { kind: 'iso' }],
    [
      'an ISO with an MBR for USB sticks',
      ((iso) => {
        iso.writeUInt16LE(0xaa55, 510)
        return iso
      })(makeIso({ volumeId: 'X' })),
      { kind: 'iso' },
    ],
    ['a UDF disc', at(16 * 2048 + 1, 'BEA01', 40_960), { kind: 'iso' }],
    ['a Linux kernel', makeBzImage(), { kind: 'kernel', flavour: 'bzImage' }],
    ['a unified kernel image', pe(10), { kind: 'kernel', flavour: 'efi' }],
    ['a Windows program', pe(3), { kind: 'unknown' }],
    ['text', Buffer.from('hello'), { kind: 'unknown' }],
    ['zeros of odd length', Buffer.alloc(1000), { kind: 'unknown' }],
    ['a LUKS container', makeLuks(), { kind: 'luks' }],
  ])('%s', async (_name, bytes, expected) => {
    expect(await detectImageFormat(memorySource(bytes))).toEqual(expected)
  })

  test.each([
    ['\x1f\x8b', 'compressed with gzip'],
    ['\xfd7zXZ\0', 'compressed with xz'],
    ['PK\x03\x04', 'a ZIP archive'],
    ['QED\0', 'a QED disk image'],
    ['\x28\xb5\x2f\xfd', 'compressed with zstd'],
  ])('what begins with %j is known and of no use', async (magic, name) => {
    expect(await detectImageFormat(memorySource(at(0, magic)))).toMatchObject({ kind: 'foreign', name })
  })

  test('an OVA and a dmg too', async () => {
    expect(await detectImageFormat(memorySource(at(257, 'ustar')))).toMatchObject({ name: 'a tar archive or an OVA appliance' })
    expect(await detectImageFormat(memorySource(at(8192 - 512, 'koly')))).toMatchObject({ name: 'an Apple disk image (dmg)' })
  })

  test('no prefix of any image makes it throw', async () => {
    for (const whole of [makeQcow2(), makeVmdk('x'), makeVdi(1, 1), makeIso({ volumeId: 'X' }), makeBzImage(), pe(10)]) {
      for (const length of [0, 1, 2, 3, 7, 63, 64, 65, 72, 103, 511, 512, 600, 1024, 4096, 33_000])
        await detectImageFormat(memorySource(whole.subarray(0, length)))
    }
  })
})

describe('a disc', () => {
  test.each([
    [true, false],
    [false, true],
    [true, true],
    [false, false],
  ])('that boots with BIOS %s and UEFI %s says so', async (bios, uefi) => {
    expect(await readDisc(memorySource(makeIso({ volumeId: 'Debian 12.5.0 amd64 n', bios, uefi })))).toEqual({
      volumeId: 'Debian 12.5.0 amd64 n',
      bootable: { bios, uefi },
      declaredBytes: 40_960,
    })
  })

  test('whose catalogue is missing, damaged or endless boots with nothing', async () => {
    const away = makeIso({ volumeId: 'X' })
    away.writeUInt32LE(0xffffffff, 17 * 2048 + 71)
    expect((await readDisc(memorySource(away))).bootable).toEqual({ bios: false, uefi: false })
    const catalog = makeBootCatalog(true, true)
    catalog.writeUInt16LE(0xffff, 66)
    expect(readBootCatalog(catalog)).toEqual({ bios: true, uefi: true })
    catalog.writeUInt16LE(0, 30)
    expect(readBootCatalog(catalog)).toEqual({ bios: false, uefi: false })
  })

  test('without a terminator is read no further than it goes', async () => {
    const iso = makeIso({ volumeId: 'X' }).subarray(0, 17 * 2048)
    expect((await readDisc(memorySource(iso))).volumeId).toBe('X')
  })

  test('has no characters in its name that could not be shown', async () => {
    expect((await readDisc(memorySource(makeIso({ volumeId: 'A\u0000\u001b[31mB' })))).volumeId).toBe('A[31mB')
  })

  test('that is UDF alone is named by its primary volume descriptor', async () => {
    const image = Buffer.alloc(300 * 2048)
    ;['BEA01', 'NSR03', 'TEA01'].forEach((identifier, index) => image.write(identifier, (16 + index) * 2048 + 1, 'latin1'))
    const anchor = image.subarray(256 * 2048)
    anchor.writeUInt16LE(2, 0)
    anchor.writeUInt32LE(16 * 2048, 16)
    anchor.writeUInt32LE(260, 20)
    const descriptor = image.subarray(261 * 2048)
    descriptor.writeUInt16LE(1, 0)
    descriptor[24] = 8
    descriptor.write('CPBA_X64FRE', 25, 'latin1')
    descriptor[55] = 12
    expect((await readDisc(memorySource(image))).volumeId).toBe('CPBA_X64FRE')
    descriptor[24] = 16
    descriptor.write('\0G\0r\0\xfc\0n', 25, 'latin1')
    descriptor[55] = 9
    expect((await readDisc(memorySource(image))).volumeId).toBe('Grün')
  })
})

describe('a LUKS header', () => {
  test('tells where the content begins, and how many passphrases there may be', async () => {
    expect(await readLuksHeader(memorySource(makeLuks({ payloadSectors: 8, activeSlots: 3 })))).toEqual({ header: { payloadOffset: 4096, activeSlots: 3 } })
    expect(await readLuksHeader(memorySource(makeLuks({ version: 2 })))).toEqual({ version: 2 })
  })

  test('that is none, or is cut short, is a fault', async () => {
    expect(await readLuksHeader(memorySource(Buffer.alloc(4096)))).toEqual({ fault: 'its LUKS header is missing' })
    expect(await readLuksHeader(memorySource(makeLuks()), 100_000_000)).toEqual({ fault: 'its LUKS header is missing' })
    for (const length of [0, 6, 7]) expect(await readLuksHeader(memorySource(makeLuks().subarray(0, length)))).toEqual({ fault: 'its LUKS header is missing' })
    for (const length of [8, 104, 591]) expect(await readLuksHeader(memorySource(makeLuks().subarray(0, length)))).toEqual({ fault: 'it ends within its LUKS header' })
  })
})

describe('a qcow2', () => {
  test('tells what it needs', async () => {
    const read = await readQcow2Header(
      memorySource(makeQcow2({ backingFile: '/etc/shadow', backingFormat: 'raw', dataFile: 'x.raw', virtualBytes: 5 * 2 ** 30 })),
    )
    expect(read).toMatchObject({
      header: {
        virtualBytes: 5 * 2 ** 30,
        backingFile: '/etc/shadow',
        backingFormat: 'raw',
        dataFile: 'x.raw',
        hasDataFile: true,
        encryption: 'none',
      },
    })
  })

  test.each([
    [1, 'AES'],
    [2, 'LUKS'],
    [9, 'unknown'],
  ])('with encryption method %i is encrypted: %s', async (encryption, name) => {
    expect(await readQcow2Header(memorySource(makeQcow2({ encryption })))).toMatchObject({ header: { encryption: name, luksOffset: null } })
  })

  test('says where its LUKS header lies', async () => {
    const source = memorySource(makeQcow2({ encryption: 2, luksVersion: 1, backingFormat: 'raw' }))
    expect(await readQcow2Header(source)).toMatchObject({ header: { luksOffset: 5 * 65_536, backingFormat: 'raw' } })
    expect(await readLuksHeader(source, 5 * 65_536)).toEqual({ header: { payloadOffset: 2 * 1024 * 1024, activeSlots: 1 } })
  })

  test.each([1, 4, 0xffffffff])('of version %i is not read on', async (version) => {
    expect(await readQcow2Header(memorySource(makeQcow2({ version })))).toEqual({ version })
  })

  test('whose numbers make no sense is refused', async () => {
    expect(await readQcow2Header(memorySource(makeQcow2().subarray(0, 60)))).toEqual({ fault: 'too short for its header' })
    const image = makeQcow2()
    image.writeUInt32BE(40, 20)
    expect(await readQcow2Header(memorySource(image))).toEqual({ fault: 'its header makes no sense' })
    const backing = makeQcow2({ backingFile: 'x' })
    backing.writeUInt32BE(100_000, 16)
    expect(await readQcow2Header(memorySource(backing))).toEqual({ fault: 'its header makes no sense' })
  })

  async function missing(image: Buffer): Promise<number | null> {
    const source = memorySource(image)
    const read = await readQcow2Header(source)
    if (!('header' in read)) throw new Error('no header')
    return findMissingBytes(source, read.header)
  }

  test('that is whole misses nothing, one that was cut does', async () => {
    const cluster = 65_536
    const whole = makeQcow2({ dataOffset: 5 * cluster })
    expect(await missing(whole)).toBeNull()
    expect(await missing(whole.subarray(0, 5 * cluster + 512))).toBeNull()
    expect(await missing(whole.subarray(0, 5 * cluster))).toBe(6 * cluster)
    expect(await missing(whole.subarray(0, 3 * cluster + 100))).toBe(4 * cluster)
    expect(await missing(whole.subarray(0, 200))).toBe(4 * cluster)
  })

  async function written(image: Buffer): Promise<boolean> {
    const source = memorySource(image)
    const read = await readQcow2Header(source)
    if (!('header' in read)) throw new Error('no header')
    return hasOwnData(source, read.header)
  }

  test('that nothing was written to is known from one that something was', async () => {
    expect(await written(makeQcow2({ backingFile: 'base.qcow2' }))).toBe(false)
    expect(await written(makeQcow2({ backingFile: 'base.qcow2', dataOffset: 5 * 65_536 }))).toBe(true)
    // Only the flags of an entry: it points nowhere.
    const flagged = makeQcow2()
    flagged.writeBigUInt64BE(1n << 63n, 65_536)
    expect(await written(flagged)).toBe(false)
    // The last of many entries, behind what is read at once.
    const large = Buffer.concat([makeQcow2(), Buffer.alloc(2 * 1024 * 1024)])
    large.writeUInt32BE(200_000, 36)
    expect(await written(large)).toBe(false)
    large.writeBigUInt64BE(BigInt(2 * 65_536), 65_536 + 199_999 * 8)
    expect(await written(large)).toBe(true)
  })

  test('that claims enormous tables is not read for ever', async () => {
    const image = makeQcow2()
    image.writeUInt32BE(0xffffffff, 36)
    expect(await missing(image)).toBeGreaterThan(2 ** 34)
  })
})

describe('a vmdk', () => {
  const split = 'RW 4192256 SPARSE "disk-s001.vmdk"\nRW 2048 SPARSE "disk-s002.vmdk"\nRW 16 ZERO\n'

  test('descriptor names its parts and its parent', () => {
    expect(parseDescriptor(`# Disk DescriptorFile\nparentFileNameHint="/base/x.vmdk"\n${split}`)).toEqual({
      extents: ['disk-s001.vmdk', 'disk-s002.vmdk'],
      flat: [],
      parent: '/base/x.vmdk',
      virtualBytes: (4192256 + 2048 + 16) * 512,
    })
  })

  test('in one file has no parts, one of capacity zero has those that it names', async () => {
    expect(await readVmdk(memorySource(makeVmdk(split)))).toEqual({ extents: [], flat: [], parent: null, virtualBytes: 2048 * 512 })
    expect(await readVmdk(memorySource(makeVmdk('RW 1 FLAT "/etc/shadow" 0\n', 0)))).toMatchObject({ extents: ['/etc/shadow'] })
    expect(await readVmdk(memorySource(makeVmdk('').subarray(0, 20)))).toEqual({ extents: [], flat: [], parent: null, virtualBytes: null })
  })
})

describe('the start of a disk', () => {
  const mbr = (code: boolean, ...types: number[]): Buffer => {
    const start = Buffer.alloc(4096)
    if (code) start[0] = 0xfa
    start.writeUInt16LE(0xaa55, 510)
    types.forEach((type, index) => {
      start[446 + index * 16 + 4] = type
    })
    return start
  }

  test.each([
    ['an MBR with boot code and Linux', mbr(true, 0x83), { bios: true, uefi: false }],
    ['an MBR with an EFI partition', mbr(false, 0xef), { bios: false, uefi: true }],
    ['an MBR with both', mbr(true, 0x07, 0xef), { bios: true, uefi: true }],
    ['an MBR without boot code', mbr(false, 0x83), null],
    ['an MBR without partitions', mbr(true), null],
    ['no partition table', Buffer.alloc(4096), null],
    ['next to nothing', Buffer.alloc(10), null],
  ])('with %s says what it boots with', (_name, start, expected) => {
    expect(decideBootability(start)).toEqual(expected)
  })

  test('whose GPT makes no sense says nothing', () => {
    const start = mbr(true, 0xee)
    start.write('EFI PART', 512, 'latin1')
    start.writeBigUInt64LE(2n ** 60n, 512 + 72)
    start.writeUInt32LE(0xffffffff, 512 + 80)
    start.writeUInt32LE(128, 512 + 84)
    expect(decideBootability(start)).toBeNull()
    start.writeUInt32LE(0, 512 + 84)
    expect(decideBootability(start)).toBeNull()
  })

  test('is not read through an image that is based on another', async () => {
    expect(await diskBootability(memorySource(makeQcow2({ backingFile: 'x' })), 'qcow2')).toBeNull()
    expect(await diskBootability(memorySource(makeQcow2()), 'qcow2')).toBeNull()
  })
})
