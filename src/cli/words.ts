/*
 * Names and paths come from anywhere: a downloaded image can name a file with the codes that move a terminal's cursor, and a machine
 * can be called as a command.
 */

/** Text for a terminal: characters that a terminal obeys instead of showing them, or that turn text around, are written as their codes. */
export function shown(text: string): string {
  return text.replace(/(?![\t\n])[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
  })
}

/** As `shown`, for what has to stay within its line. */
export function onOneLine(text: string): string {
  return shown(text.replaceAll('\n', '\\n').replaceAll('\t', '\\t'))
}

/** A word as a POSIX shell takes it. */
export function quotedForShell(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/u.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
