import { createCipheriv, createDecipheriv, createHash, randomBytes, scrypt } from 'node:crypto'
import { z } from 'zod'
import { RingsideError, isRingsideError } from '@shared/errors'
import { type FileFormat, VersionedFile } from '../config'

/*
 * The lock of a machine's encrypted disks. Their LUKS headers take a key of 256 bits of chance (the disk key); what people type opens the small file in the machine's folder that holds
 * this key. So a passphrase is changed by replacing one file, whole or not at all, whatever the number of layers and also while the machine runs.
 */

/** What scrypt takes: 128 MiB of memory and some tenths of a second [RFC 7914; OWASP Password Storage Cheat Sheet]. */
export const defaultCost: ScryptCost = { cost: 2 ** 17, blockSize: 8, parallel: 1 }

export interface ScryptCost { cost: number; blockSize: number; parallel: number }

/** The most memory that a file from elsewhere may have us take, bytes. */
const mostMemory = 2 ** 30

const Base64 = z.string().max(400).regex(/^[A-Za-z0-9+/]*={0,2}$/u)

const KeyFile = z.object({
  schemaVersion: z.literal(1),
  createdBy: z.string(),
  kdf: z.object({ name: z.literal('scrypt'), salt: Base64, cost: z.int().min(2).max(2 ** 20), blockSize: z.int().min(1).max(32), parallel: z.int().min(1).max(16) }),
  cipher: z.literal('aes-256-gcm'),
  nonce: Base64,
  sealed: Base64,
  tag: Base64,
  /** SHA-256 that tells the disk key from another one. It has 256 bits of chance, so nothing is to be guessed from it. */
  check: Base64,
})
export type KeyFile = z.infer<typeof KeyFile>

const keyFileFormat: FileFormat<KeyFile> = { title: 'The lock of the machine’s encrypted disks', version: 1, schema: KeyFile, migrations: {} }

/** What a sealed key is bound to, so that nothing else that was sealed by this passphrase is taken for one. */
const purpose = Buffer.from('ringside disk key 1')

/** A new disk key: 256 bits of chance in letters, which LUKS takes as its passphrase. */
export function newDiskKey(): string {
  return randomBytes(32).toString('base64url')
}

export async function sealKey(key: string, passphrase: string, { createdBy, cost = defaultCost }: { createdBy: string; cost?: ScryptCost }): Promise<KeyFile> {
  const salt = randomBytes(32)
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', await derive(passphrase, salt, cost), nonce).setAAD(purpose)
  const sealed = Buffer.concat([cipher.update(key, 'utf8'), cipher.final()])
  return {
    schemaVersion: 1, createdBy, kdf: { name: 'scrypt', salt: salt.toString('base64'), ...cost }, cipher: 'aes-256-gcm', nonce: nonce.toString('base64'), sealed: sealed.toString('base64'),
    tag: cipher.getAuthTag().toString('base64'), check: checkOf(key),
  }
}

/** The disk key; null when the passphrase does not fit. Throws `DEFINITION_DAMAGED` for a file that no passphrase could open. */
export async function openKey(file: KeyFile, passphrase: string): Promise<string | null> {
  const { salt, cost, blockSize, parallel } = file.kdf
  if (128 * cost * blockSize * parallel > mostMemory || (cost & (cost - 1)) !== 0) throw new RingsideError('DEFINITION_DAMAGED', 'The lock of the machine’s encrypted disks is damaged: no passphrase takes as much as it says.', { hint: 'Put encryption.json back from a backup.' })
  const derived = await derive(passphrase, Buffer.from(salt, 'base64'), { cost, blockSize, parallel })
  try {
    const decipher = createDecipheriv('aes-256-gcm', derived, Buffer.from(file.nonce, 'base64'), { authTagLength: 16 }).setAAD(purpose).setAuthTag(Buffer.from(file.tag, 'base64'))
    return Buffer.concat([decipher.update(Buffer.from(file.sealed, 'base64')), decipher.final()]).toString('utf8')
  } catch {
    return null
  }
}

/** Whether a disk key is the one that a file holds. */
export function isKeyOf(file: KeyFile, key: string): boolean {
  return file.check === checkOf(key)
}

/** null: there is none. Throws `DEFINITION_DAMAGED`, `DEFINITION_NEWER`, `FILE_UNREADABLE`. */
export async function readKeyFile(path: string): Promise<KeyFile | null> {
  return new VersionedFile(path, keyFileFormat, 'refuse').load().catch((error: unknown) => {
    if (isRingsideError(error, 'FILE_NOT_FOUND')) return null
    throw error
  })
}

/** Whole or not at all. */
export function writeKeyFile(path: string, file: KeyFile): Promise<void> {
  return new VersionedFile(path, keyFileFormat, 'refuse').save(file)
}

function derive(passphrase: string, salt: Buffer, { cost, blockSize, parallel }: ScryptCost): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // Twice what it needs: Node counts a little more than 128 · N · r.
    scrypt(passphrase.normalize('NFC'), salt, 32, { N: cost, r: blockSize, p: parallel, maxmem: 256 * cost * blockSize * parallel }, (error, key) => {
      if (error === null) resolve(key)
      else reject(error)
    })
  })
}

function checkOf(key: string): string {
  return createHash('sha256').update(`ringside disk key check\n${key}`).digest('base64')
}
