import { expect, test } from 'vitest'
import { encryptChallenge } from './protected-graphics'

test('the answer to a challenge is DES with the bits of each password byte reversed', () => {
  // The published DES example key 133457799BBCDFF1 and block 0123456789ABCDEF, the key's bytes reversed here as a password has them.
  const password = Buffer.from([0x13, 0x34, 0x57, 0x79, 0x9b, 0xbc, 0xdf, 0xf1].map((byte) => Number.parseInt(byte.toString(2).padStart(8, '0').split('').reverse().join(''), 2))).toString('latin1')
  expect(encryptChallenge(Buffer.from('0123456789abcdef', 'hex'), password).toString('hex')).toBe('85e813540f0ab405')
})
