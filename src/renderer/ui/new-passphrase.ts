import { Passphrase } from '@shared/model'
import { passphraseStrength, type PassphraseStrength } from './passphrase-strength'

/** What is wrong with a passphrase as it was typed, a sentence; null: nothing. */
export function passphraseIssue(passphrase: string): string | null {
  return Passphrase.safeParse(passphrase).error?.issues[0]?.message ?? null
}

/** What keeps a passphrase that was typed twice from being taken, a sentence; null: nothing. */
export function passphraseFault(passphrase: string, again: string): string | null {
  if (passphrase === '') return 'Type a passphrase.'
  const issue = passphraseIssue(passphrase)
  if (issue !== null) return issue
  if (again === '') return 'Type the passphrase once more.'
  return again === passphrase ? null : 'The two passphrases are not the same.'
}

/** What a strength means, in words that promise no more than can be known. */
export const strengthWords: Readonly<Record<PassphraseStrength['level'], string>> = {
  weak: 'Weak: whoever has the machine’s folder and some time can find it.',
  fair: 'Fair: to find it would take many computers some years.',
  strong: 'Strong, if it was chosen by chance: a line of a song, or what you use elsewhere, is found sooner.',
}

export { passphraseStrength }
