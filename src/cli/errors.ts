import { ORPCError } from '@orpc/client'
import { ErrorCode, messageOf, reviveError, RingsideError } from '@shared/errors'
import { onOneLine } from './words'

/** Makes a `RingsideError` of whatever a call threw: the contract's errors arrive as those of its library. */
export function toRingsideError(thrown: unknown): RingsideError {
  if (thrown instanceof RingsideError) return thrown
  if (thrown instanceof ORPCError) {
    const { code, message, data } = thrown as ORPCError<string, unknown>
    if (ErrorCode.safeParse(code).success) return reviveError({ code, message, data: data ?? {} })
  }
  if (thrown instanceof Error && /not open|\[AsyncIdQueue\]|closed/iu.test(thrown.message)) {
    return new RingsideError('PROTOCOL', 'The host ended while the command was under way.', { hint: 'Running machines go on; run the command again.' }, { cause: thrown })
  }
  return new RingsideError('INTERNAL', messageOf(thrown), {}, { cause: thrown })
}

/** The error for people: what, where, each fault, what a failed program said last, what to do. */
export function errorInWords(error: RingsideError): string {
  const { data } = error
  const lines = [`ringside: ${error.message}`]
  const issues = data.issues ?? []
  if (issues.length > 1 || (issues[0] && !error.message.includes(issues[0].message))) {
    for (const issue of issues) lines.push(`  ${issue.path === '' ? '' : `${issue.path}: `}${issue.message}`)
  }
  if (data.path !== undefined && !error.message.includes(data.path)) lines.push(`  file: ${data.path}`)
  const said = data.process?.stderrTail.trim()
  if (said !== undefined && said !== '') lines.push(...said.split('\n').slice(-8).map((line) => `  | ${line}`))
  if (data.hint !== undefined) lines.push(`  ${data.hint}`)
  return lines.map((line) => `${onOneLine(line)}\n`).join('')
}

export function errorAsJson(error: RingsideError): string {
  return `${JSON.stringify({ error: { code: error.code, message: error.message, data: error.data } })}\n`
}
