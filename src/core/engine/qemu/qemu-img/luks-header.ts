import { createCipheriv, createHash, pbkdf2Sync, randomBytes, randomUUID } from 'node:crypto'

/*
 * A LUKS header, as QEMU makes it [LUKS1 On-Disk Format Specification 1.2.3; crypto/block-luks.c]: AES-256 in XTS mode with 64-bit sector numbers, SHA-256. Made here because QEMU measures the
 * processor for seconds before it makes one, to tune a derivation that a key of 256 bits of chance has no need of.
 */

const sectorBytes = 512
const masterKeyBytes = 64
const stripes = 4000
/** The fewest rounds that QEMU takes [QCRYPTO_BLOCK_LUKS_MIN_SLOT_KEY_ITERS, MIN_MASTER_KEY_ITERS]. */
const rounds = 1000
const slots = 8
const slotsOffset = 208
const slotBytes = 48
const headerAlign = 4096
const materialSectors = Math.ceil((masterKeyBytes * stripes) / headerAlign) * (headerAlign / sectorBytes)
const enabled = 0x00ac71f3
const disabled = 0x0000dead

/** Bytes of a header with all its key slots; the payload begins behind it. */
export const luksHeaderBytes = headerAlign + slots * materialSectors * sectorBytes

/** What of it is more than zeroes: all behind is other slots, which are empty. */
export const luksUsedBytes = headerAlign + materialSectors * sectorBytes

/** A header with a new master key, which `passphrase` opens. */
export function makeLuksHeader(passphrase: string): Buffer {
  const header = Buffer.alloc(luksHeaderBytes)
  const masterKey = randomBytes(masterKeyBytes)
  header.write('LUKS\xba\xbe', 0, 'latin1')
  header.writeUInt16BE(1, 6)
  header.write('aes', 8)
  header.write('xts-plain64', 40)
  header.write('sha256', 72)
  header.writeUInt32BE(luksHeaderBytes / sectorBytes, 104)
  header.writeUInt32BE(masterKeyBytes, 108)
  const digestSalt = randomBytes(32)
  pbkdf2Sync(masterKey, digestSalt, rounds, 20, 'sha256').copy(header, 112)
  digestSalt.copy(header, 132)
  header.writeUInt32BE(rounds, 164)
  header.write(randomUUID(), 168)
  for (let slot = 0; slot < slots; slot += 1) {
    const at = slotsOffset + slot * slotBytes
    const materialSector = headerAlign / sectorBytes + slot * materialSectors
    header.writeUInt32BE(slot === 0 ? enabled : disabled, at)
    header.writeUInt32BE(materialSector, at + 40)
    header.writeUInt32BE(stripes, at + 44)
    if (slot > 0) continue
    const salt = randomBytes(32)
    header.writeUInt32BE(rounds, at + 4)
    salt.copy(header, at + 8)
    const key = pbkdf2Sync(passphrase, salt, rounds, masterKeyBytes, 'sha256')
    encryptSectors(split(masterKey), key).copy(header, materialSector * sectorBytes)
  }
  return header
}

/** Spreads a key over many stripes, so that all of them are needed to have it again (the anti-forensic splitter). */
function split(key: Buffer): Buffer {
  const all = Buffer.concat([randomBytes(key.length * (stripes - 1)), Buffer.alloc(key.length)])
  let block: Buffer = Buffer.alloc(key.length)
  for (let stripe = 0; stripe < stripes - 1; stripe += 1) block = diffuse(exclusiveOr(block, all.subarray(stripe * key.length, (stripe + 1) * key.length)))
  exclusiveOr(block, key).copy(all, key.length * (stripes - 1))
  return all
}

function diffuse(block: Buffer): Buffer {
  const size = 32
  const parts: Buffer[] = []
  for (let index = 0; index * size < block.length; index += 1) {
    const number = Buffer.alloc(4)
    number.writeUInt32BE(index)
    parts.push(createHash('sha256').update(number).update(block.subarray(index * size, (index + 1) * size)).digest())
  }
  return Buffer.concat(parts)
}

function exclusiveOr(one: Buffer, other: Buffer): Buffer {
  return Buffer.from(one.map((byte, index) => byte ^ (other[index] ?? 0)))
}

function encryptSectors(plain: Buffer, key: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let sector = 0; sector * sectorBytes < plain.length; sector += 1) {
    const tweak = Buffer.alloc(16)
    tweak.writeBigUInt64LE(BigInt(sector))
    const cipher = createCipheriv('aes-256-xts', key, tweak)
    parts.push(cipher.update(plain.subarray(sector * sectorBytes, (sector + 1) * sectorBytes)), cipher.final())
  }
  return Buffer.concat(parts)
}
