/** Arguments that begin a new line: an option with what belongs to it. */
export function commandLines(argv: readonly string[]): string[] {
  const lines: string[] = []
  for (const [index, word] of argv.entries()) {
    const shown = quoted(word)
    if (index === 0 || word.startsWith('-')) lines.push(shown)
    else lines[lines.length - 1] = `${lines.at(-1) ?? ''} ${shown}`
  }
  return lines
}

/** The command as a POSIX shell takes it, one option a line. */
export function shellCommand(argv: readonly string[]): string {
  return commandLines(argv).join(' \\\n  ')
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/u.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
