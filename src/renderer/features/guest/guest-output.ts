import type { GuestCommandResult } from '@shared/model'

/** What a program printed, as text to be shown: without the codes that a terminal would obey. */
export function outputText(base64: string): string {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  return new TextDecoder()
    .decode(bytes)
    .replaceAll('\r\n', '\n')
    // Colours and moves of the cursor [ECMA-48: control sequences].
    // eslint-disable-next-line no-control-regex
    .replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|.)/gu, '')
    .replace(/(?![\t\n])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
    .trimEnd()
}

/** One line for the guest's own shell. */
export function shellCommand(line: string, isWindows: boolean): { program: string; arguments: string[] } {
  return isWindows ? { program: 'cmd.exe', arguments: ['/c', line] } : { program: 'sh', arguments: ['-c', line] }
}

/** How it ended, and whether well. */
export function endingInWords({ exitCode, signal, timedOut, stdoutTruncated, stderrTruncated, stdoutBase64, stderrBase64 }: GuestCommandResult): { words: string; well: boolean } {
  const cut = stdoutTruncated || stderrTruncated ? ' Its output was longer; the rest was left out.' : ''
  const silent = stdoutBase64 === '' && stderrBase64 === '' ? ' It printed nothing.' : ''
  if (timedOut) return { words: `Killed, since it took too long.${cut}${silent}`, well: false }
  if (exitCode === null) return { words: `Ended by signal ${signal === null ? 'of an unknown number' : String(signal)}.${cut}${silent}`, well: false }
  return { words: `Ended with exit code ${String(exitCode)}.${cut}${silent}`, well: exitCode === 0 }
}
