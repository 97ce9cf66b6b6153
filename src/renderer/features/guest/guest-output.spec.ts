import { expect, test } from 'vitest'
import { endingInWords, outputText, shellCommand } from './guest-output'

const encode = (text: string): string => btoa(String.fromCharCode(...new TextEncoder().encode(text)))

test('output is shown without what a terminal would obey', () => {
  expect(outputText(encode('\u001b[1;31mred\u001b[0m ünd\r\n\ttab \u0007\u001b]0;title\u0007x\u202ey\n\n'))).toBe('red ünd\n\ttab \ufffdx\ufffdy')
  expect(outputText('')).toBe('')
  expect(outputText(btoa('\xff\xfe'))).toBe('\ufffd\ufffd')
})

test('a line goes to the shell of the guest as it is', () => {
  expect(shellCommand('echo "$HOME" | cat', false)).toEqual({ program: 'sh', arguments: ['-c', 'echo "$HOME" | cat'] })
  expect(shellCommand('dir C:\\', true)).toEqual({ program: 'cmd.exe', arguments: ['/c', 'dir C:\\'] })
})

test('how it ended is told in words', () => {
  const ended = { exitCode: 0, signal: null, timedOut: false, stdoutBase64: 'YQ==', stderrBase64: '', stdoutTruncated: false, stderrTruncated: false }
  expect(endingInWords(ended)).toEqual({ words: 'Ended with exit code 0.', well: true })
  expect(endingInWords({ ...ended, exitCode: 2, stdoutBase64: '' })).toEqual({ words: 'Ended with exit code 2. It printed nothing.', well: false })
  expect(endingInWords({ ...ended, exitCode: null, signal: 9 })).toEqual({ words: 'Ended by signal 9.', well: false })
  expect(endingInWords({ ...ended, exitCode: null, signal: 9, timedOut: true, stdoutTruncated: true }).words).toBe('Killed, since it took too long. Its output was longer; the rest was left out.')
})
