import type { DiskFormat } from '@shared/model'
import type { ByteSource } from './byte-source'

/** What the bytes of a file say it is. Pure: decided from its first and last bytes, never from its name. */
export type DetectedFormat =
  | { kind: 'iso' }
  | { kind: 'kernel'; flavour: 'bzImage' | 'efi' }
  | { kind: 'disk'; format: DiskFormat }
  /** A LUKS container: a raw disk, encrypted, behind a header. */
  | { kind: 'luks' }
  /** Known, and of no use as it is. */
  | { kind: 'foreign'; name: string; advice: string }
  | { kind: 'unknown' }

/** How much of the beginning is looked at: up to the magic of Btrfs behind 64 KiB. */
export const headLength = 72 * 1024
export const tailLength = 512

/** Reads what is needed and decides. */
export async function detectImageFormat(source: ByteSource): Promise<DetectedFormat> {
  return decideFormat(await source.read(0, headLength), await source.read(Math.max(0, source.size - tailLength), tailLength), source.size)
}

const unpack = 'Unpack it first and choose the disk image that was in it.'
const convert = 'Convert it to qcow2 with the program that made it, or with qemu-img convert.'

/**
 * Magics at the beginning. qcow2: docs/interop/qcow2.txt; vmdk: VMware's Virtual Disk Format 1.1; vdi: its header's text is free, the
 * signature at 0x40 counts; vhdx: MS-VHDX 2.2.1; vpc: Microsoft's VHD specification 1.0, "Hard Disk Footer Format".
 */
const magics: readonly { at: number; bytes: Buffer; is: DetectedFormat }[] = [
  { at: 0, bytes: Buffer.from('QFI\xfb', 'latin1'), is: { kind: 'disk', format: 'qcow2' } },
  { at: 0, bytes: Buffer.from('KDMV', 'latin1'), is: { kind: 'disk', format: 'vmdk' } },
  { at: 0, bytes: Buffer.from('COWD', 'latin1'), is: { kind: 'disk', format: 'vmdk' } },
  { at: 0x40, bytes: Buffer.from([0x7f, 0x10, 0xda, 0xbe]), is: { kind: 'disk', format: 'vdi' } },
  { at: 0, bytes: Buffer.from('vhdxfile', 'latin1'), is: { kind: 'disk', format: 'vhdx' } },
  { at: 0, bytes: Buffer.from('conectix', 'latin1'), is: { kind: 'disk', format: 'vpc' } },
  { at: 0, bytes: Buffer.from('LUKS\xba\xbe', 'latin1'), is: { kind: 'luks' } },
  { at: 0, bytes: Buffer.from('QED\0', 'latin1'), is: { kind: 'foreign', name: 'a QED disk image', advice: convert } },
  { at: 0, bytes: Buffer.from('WithoutFreeSpace', 'latin1'), is: { kind: 'foreign', name: 'a Parallels disk image', advice: convert } },
  { at: 0, bytes: Buffer.from('WithouFreSpacExt', 'latin1'), is: { kind: 'foreign', name: 'a Parallels disk image', advice: convert } },
  { at: 0, bytes: Buffer.from([0x1f, 0x8b]), is: { kind: 'foreign', name: 'compressed with gzip', advice: unpack } },
  { at: 0, bytes: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), is: { kind: 'foreign', name: 'compressed with xz', advice: unpack } },
  { at: 0, bytes: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), is: { kind: 'foreign', name: 'compressed with zstd', advice: unpack } },
  { at: 0, bytes: Buffer.from('BZh', 'latin1'), is: { kind: 'foreign', name: 'compressed with bzip2', advice: unpack } },
  { at: 0, bytes: Buffer.from([0x50, 0x4b, 3, 4]), is: { kind: 'foreign', name: 'a ZIP archive', advice: unpack } },
  { at: 0, bytes: Buffer.from([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]), is: { kind: 'foreign', name: 'a 7-Zip archive', advice: unpack } },
  { at: 0, bytes: Buffer.from('Rar!', 'latin1'), is: { kind: 'foreign', name: 'a RAR archive', advice: unpack } },
  { at: 257, bytes: Buffer.from('ustar', 'latin1'), is: { kind: 'foreign', name: 'a tar archive or an OVA appliance', advice: unpack } },
  {
    at: 0,
    bytes: Buffer.from('%PDF', 'latin1'),
    is: { kind: 'foreign', name: 'a PDF document', advice: 'Choose a disk image or an ISO file.' },
  },
]

/** Things that only a disk has: partition tables and the file systems that lie on a disk without one. */
const diskSigns: readonly { at: number; bytes: Buffer }[] = [
  { at: 512, bytes: Buffer.from('EFI PART', 'latin1') },
  { at: 4096, bytes: Buffer.from('EFI PART', 'latin1') },
  { at: 510, bytes: Buffer.from([0x55, 0xaa]) },
  { at: 1080, bytes: Buffer.from([0x53, 0xef]) }, // ext2..4
  { at: 0, bytes: Buffer.from('XFSB', 'latin1') },
  { at: 65_600, bytes: Buffer.from('_BHRfS_M', 'latin1') }, // Btrfs
  { at: 536, bytes: Buffer.from('LABELONE', 'latin1') }, // LVM, in sector 1 with its type behind
]

export function decideFormat(head: Buffer, tail: Buffer, size: number): DetectedFormat {
  for (const { at, bytes, is } of magics) if (hasAt(head, at, bytes)) return is
  if (isVmdkDescriptor(head)) return { kind: 'disk', format: 'vmdk' }
  // A fixed-size VHD is the raw disk with a footer behind it.
  if (tail.length === tailLength && hasAt(tail, 0, Buffer.from('conectix', 'latin1'))) return { kind: 'disk', format: 'vpc' }
  if (hasAt(tail, 0, Buffer.from('koly', 'latin1'))) return { kind: 'foreign', name: 'an Apple disk image (dmg)', advice: convert }
  // Before the partition table: most ISO files carry one too, to be written to a USB stick.
  if (isOpticalDisc(head)) return { kind: 'iso' }
  const kernel = kernelFlavour(head)
  if (kernel !== null) return { kind: 'kernel', flavour: kernel }
  if (diskSigns.some(({ at, bytes }) => hasAt(head, at, bytes))) return { kind: 'disk', format: 'raw' }
  // An empty raw disk is all zeros.
  if (size >= 512 && size % 512 === 0 && head.every((byte) => byte === 0)) return { kind: 'disk', format: 'raw' }
  return { kind: 'unknown' }
}

/** ISO 9660 (ECMA-119 8.1) or UDF (ECMA-167 2/9) descriptors from sector 16 on. */
function isOpticalDisc(head: Buffer): boolean {
  const identifier = head.toString('latin1', 16 * 2048 + 1, 16 * 2048 + 6)
  return identifier === 'CD001' || identifier === 'BEA01'
}

/**
 * bzImage: "HdrS" at 0x202 (Linux Documentation/arch/x86/boot.rst). An EFI program: MZ and, where 0x3c points to, PE (a unified kernel
 * image).
 */
export function kernelFlavour(head: Buffer): 'bzImage' | 'efi' | null {
  if (hasAt(head, 0x202, Buffer.from('HdrS', 'latin1')) && hasAt(head, 0x1fe, Buffer.from([0x55, 0xaa]))) return 'bzImage'
  if (head.length < 64 || !hasAt(head, 0, Buffer.from('MZ', 'latin1'))) return null
  const peOffset = head.readUInt32LE(0x3c)
  if (!hasAt(head, peOffset, Buffer.from('PE\0\0', 'latin1')) || peOffset + 94 > head.length) return null
  // Optional header's Subsystem: 10 = EFI application (PE format, "Windows Subsystem").
  return head.readUInt16LE(peOffset + 92) === 10 ? 'efi' : null
}

function isVmdkDescriptor(head: Buffer): boolean {
  return /^(\s|#(?! Disk DescriptorFile)[^\n]*\n)*# Disk DescriptorFile/u.test(head.toString('latin1', 0, 1024))
}

function hasAt(buffer: Buffer, offset: number, bytes: Buffer): boolean {
  return offset + bytes.length <= buffer.length && buffer.compare(bytes, 0, bytes.length, offset, offset + bytes.length) === 0
}
