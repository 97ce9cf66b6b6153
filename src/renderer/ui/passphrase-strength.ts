/**
 * How well a passphrase holds, judged by its letters. Nobody can tell from those how it was chosen, so this leans to the low side: letters that could be a word count as one word of a list.
 * Each guess takes whoever has the machine's folder some tenths of a second of a processor and 128 MiB (scrypt).
 */
export interface PassphraseStrength {
  readonly level: 'weak' | 'fair' | 'strong'
  /** So many guesses at the least, about, as a power of two. */
  readonly bits: number
}

/** A word of a list of some 4,000. */
const wordBits = 12
/** Such a run of letters may be two words that were written together. */
const longWord = 11
const digitBits = Math.log2(10)
const letterBits = Math.log2(26)
const symbolBits = 4
/** What is tried first of all, and rows of a keyboard. */
const known = ['password', 'passwort', 'passphrase', 'secret', 'letmein', 'iloveyou', 'qwertyuiop', 'qwertzuiop', 'asdfghjkl', 'zxcvbnm', 'yxcvbnm', 'abcdefghijklmnopqrstuvwxyz']
const fairBits = 36
const strongBits = 52

/** Judges a passphrase. Pure. */
export function passphraseStrength(passphrase: string): PassphraseStrength {
  const parts = passphrase.normalize('NFC').match(/\p{L}+|\p{N}+|[^\p{L}\p{N}]+/gu) ?? []
  const seen = new Set<string>()
  let bits = 0
  for (const part of parts) {
    const plain = part.toLowerCase()
    // What was there already is one bit: again, or not.
    bits += seen.has(plain) ? 1 : bitsOf(part, plain)
    seen.add(plain)
  }
  return { bits, level: bits >= strongBits ? 'strong' : bits >= fairBits ? 'fair' : 'weak' }
}

function bitsOf(part: string, plain: string): number {
  if (new Set(plain).size === 1) return (/\s/u.test(plain) ? 1 : symbolBits) + Math.log2(plain.length)
  if (/^\p{L}/u.test(part)) return lettersBits(part, plain)
  if (/^\p{N}/u.test(part)) return isRow(plain) || /^(?:19|20)\d\d$/u.test(plain) ? 6 : plain.length * digitBits
  return new Set(plain).size * symbolBits
}

function lettersBits(part: string, plain: string): number {
  if (isRow(plain) || known.some((word) => plain.length >= 3 && (word.includes(plain) || plain.startsWith(word)))) return 4
  const random = plain.length * letterBits
  const capitals = part === plain ? 0 : /^\p{Lu}\p{Ll}*$/u.test(part) ? 1 : 3
  if (!isPronounceable(plain)) return random + capitals
  return Math.min(random, wordBits * Math.ceil(plain.length / longWord)) + capitals
}

/** Whether each letter or digit follows the one before: 1234, dcba. */
function isRow(plain: string): boolean {
  const codes = [...plain].map((letter) => letter.codePointAt(0) ?? 0)
  const steps = new Set(codes.slice(1).map((code, index) => code - (codes[index] ?? 0)))
  const [step = 0] = steps
  return plain.length >= 3 && steps.size === 1 && Math.abs(step) <= 1
}

/** Words have vowels, and few consonants in a row. Letters of other alphabets are taken for words. */
function isPronounceable(plain: string): boolean {
  const basic = plain.normalize('NFD').replace(/\p{M}/gu, '')
  if (!/^[a-z]+$/u.test(basic)) return true
  return /[aeiouy]/u.test(basic) && !/[^aeiouy]{5,}/u.test(basic) && !/[aeiouy]{4,}/u.test(basic)
}
