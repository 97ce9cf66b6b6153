import { z } from 'zod'
import { Issue } from '../errors'
import { DiskFormat } from './devices'

/** Files outside the library that an image may be based on, as the person accepted each: absolute, links resolved. */
export const AcceptedFiles = z.array(z.string().max(4096, 'A path has at most 4,096 characters.')).max(32, 'At most 32 files can be accepted.')

/** What opens an image that was encrypted elsewhere: taken as it is given. */
export const ImagePassphrase = z.string().min(1, 'Type the passphrase of the image.').max(4096, 'A passphrase has at most 4,096 characters.')

/** What the host found out about a file that a person named, without trusting it. */
export const ImageReport = z.object({
  path: z.string(),
  kind: z.enum(['iso', 'disk', 'kernel', 'unknown']),
  /** Bytes of the file, or allocated bytes for a sparse one. */
  actualBytes: z.number(),
  /** Bytes that the guest would see; null when unknown. */
  virtualBytes: z.number().nullable(),
  format: DiskFormat.nullable(),
  /** ISO 9660 volume identifier. */
  volumeId: z.string().nullable(),
  bootable: z.object({ bios: z.boolean(), uefi: z.boolean() }).nullable(),
  /** Entry of the operating-system catalogue, where it was recognised. */
  osId: z.string().nullable(),
  /**
   * The next file outside the library that it is based on and that was not accepted: absolute, links resolved. Whoever trusts both says so, and
   * then it is read, once, to make a disk of the two. Absent: there is none.
   */
  unacceptedFile: z.string().optional(),
  /** It is encrypted with a passphrase of its own, which opens it to be copied: a qcow2 with LUKS in it, or, of format `raw`, a LUKS container. Absent: it is not, or nothing here opens it. */
  encryption: z.literal('luks').optional(),
  /** Everything that speaks against using it, with severity. */
  issues: z.array(Issue),
})
export type ImageReport = z.infer<typeof ImageReport>

/** One entry of a folder on the host, for the file dialog of the browser UI. */
export const FolderEntry = z.object({ name: z.string(), path: z.string(), kind: z.enum(['folder', 'file', 'other']), bytes: z.number().nullable(), modifiedAt: z.string().nullable() })
export type FolderEntry = z.infer<typeof FolderEntry>
export const FolderListing = z.object({ path: z.string(), parent: z.string().nullable(), entries: z.array(FolderEntry), places: z.array(z.object({ name: z.string(), path: z.string() })),
  /** Something to say about the listing, e.g. that it is not complete. */
  note: z.string().optional(),
  /** The path that was asked for is a file, and its folder is listed. */
  file: z.string().optional(),
})
export type FolderListing = z.infer<typeof FolderListing>
