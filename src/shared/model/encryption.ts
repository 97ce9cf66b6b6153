import { z } from 'zod'

export const passphraseMinLength = 8

/** What opens a machine's encrypted disks. The same letters are the same passphrase, however they were typed: it is brought to NFC. */
export const Passphrase = z
  .string()
  .min(passphraseMinLength, `A passphrase has at least ${String(passphraseMinLength)} characters.`)
  .max(1024, 'A passphrase has at most 1,024 characters.')
  // A zero or a line end in it could not be typed in again.
  // eslint-disable-next-line no-control-regex
  .refine((text) => !/[\u0000-\u001f\u007f]/u.test(text), 'A passphrase has no control characters and no line ends.')

/** A passphrase as somebody gives it to open something: whatever it is, it is tried. */
export const GivenPassphrase = z.string().max(4096)

/** How the disks of a new machine are encrypted. */
export const NewEncryption = z.object({
  passphrase: Passphrase,
  /** Keep the disk key in the operating system's keychain. */
  remember: z.boolean().default(false),
})
export type NewEncryption = z.infer<typeof NewEncryption>

/** Whether the operating system keeps secrets for this Ringside; `reason`: why not, a sentence. */
export const KeychainState = z.object({ available: z.boolean(), reason: z.string().nullable() })
export type KeychainState = z.infer<typeof KeychainState>

/** Whether disks can be encrypted here at all, and their keys be kept. */
export const EncryptionSupport = z.object({
  keychain: KeychainState,
  /** Why disks can't be encrypted with this QEMU, a sentence; null: they can. */
  obstacle: z.string().nullable(),
})
export type EncryptionSupport = z.infer<typeof EncryptionSupport>

/** How it stands with a machine's encrypted disks. */
export const EncryptionState = EncryptionSupport.extend({
  /** Ids of its encrypted disks. */
  diskIds: z.array(z.string()),
  /** Whether it has a disk key, and a passphrase that opens it. */
  hasKey: z.boolean(),
  /** Whether the disk key is at hand: nobody is asked for the passphrase now. */
  unlocked: z.boolean(),
  /** Whether the keychain keeps it. */
  remembered: z.boolean(),
})
export type EncryptionState = z.infer<typeof EncryptionState>

/** What of a machine with encrypted disks is not encrypted, a sentence fit to be shown before its memory is kept. */
export const memoryIsPlain = 'The guest’s memory is written to the drive unencrypted, and may hold passwords and keys of the guest.'

/** What else of such a machine is not encrypted, a sentence fit to be shown where a passphrase is made. */
export const plainParts = 'Not encrypted are its settings and logs, the variables of its firmware, the state of its TPM, pictures of its screen, and its memory when it is saved or kept in a snapshot.'

/** What a passphrase is worth, two sentences for the same place. */
export const passphraseIsAll = 'Only this passphrase opens the disks. If it is lost, and no copy of the disk key was kept, what is on them is lost.'
