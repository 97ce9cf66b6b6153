import type { ErrorShape, RingsideError } from '@shared/errors'

/** Everything that is known of an error as text, for an issue or a colleague. */
export function errorReport(error: RingsideError | ErrorShape, title?: string): string {
  const { data } = error
  const lines = [title, `${error.message} [${error.code}]`, data.hint, data.path && `Path: ${data.path}`, data.state && `State: ${data.state}`]
  for (const issue of data.issues ?? []) lines.push(`- ${issue.path === '' ? '' : `${issue.path}: `}${issue.message}`)
  if (data.process) {
    const { command, argv, exitCode, signal, stderrTail } = data.process
    lines.push(`Process: ${[command, ...argv].join(' ')}`, `Exit code: ${String(exitCode)}, signal: ${String(signal)}`, stderrTail)
  }
  return lines.filter((line) => line !== undefined && line !== '').join('\n')
}
