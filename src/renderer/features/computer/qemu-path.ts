/** What is wrong with a path of QEMU as it is typed, a sentence; null when the host may look at it. Empty means: search. */
export function checkQemuPath(path: string, platform: string): string | null {
  const wanted = path.trim()
  if (wanted === '') return null
  const absolute = platform === 'win32' ? /^(?:[A-Za-z]:[\\/]|\\\\)/u.test(wanted) : wanted.startsWith('/')
  if (!absolute) return platform === 'win32' ? 'Give the whole path, such as C:\\Program Files\\qemu.' : 'Give the whole path; it begins with a slash.'
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f]/u.test(wanted)) return 'A path has no control characters.'
  return wanted.length > 4096 ? 'A path has at most 4,096 characters.' : null
}
