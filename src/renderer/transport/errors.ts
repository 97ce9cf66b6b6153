import { ORPCError } from '@orpc/client'
import { ErrorCode, ErrorData, isRingsideError, messageOf, reviveError, RingsideError } from '@shared/errors'

/** Makes a `RingsideError` of anything that a call, a subscription or the browser threw. */
export function toRingsideError(thrown: unknown): RingsideError {
  if (isRingsideError(thrown)) return thrown
  if (thrown instanceof ORPCError) return fromContractError(thrown as ORPCError<string, unknown>)
  if (thrown instanceof DOMException && thrown.name === 'AbortError') return new RingsideError('CANCELLED', 'Cancelled.')
  if (thrown instanceof Error && /not open|closed|aborted/iu.test(thrown.message)) return connectionLost(thrown)
  return new RingsideError('INTERNAL', messageOf(thrown), {}, { cause: thrown })
}

/** The error of a call that was under way, or not even begun, when the connection was down. */
export function connectionLost(cause?: unknown): RingsideError {
  return new RingsideError(
    'PROTOCOL',
    'The connection to the Ringside host was lost.',
    { hint: 'Machines go on running. The window reconnects by itself; try again when it has.' },
    { cause },
  )
}

function fromContractError(error: ORPCError<string, unknown>): RingsideError {
  if (ErrorCode.safeParse(error.code).success) {
    const data = ErrorData.safeParse(error.data ?? {})
    return reviveError({ code: error.code, message: error.message, data: data.success ? data.data : {} })
  }
  if (error.code === 'BAD_REQUEST') return new RingsideError('INVALID_INPUT', 'The host refused the input.', { issues: issuesOf(error.data) })
  return new RingsideError('INTERNAL', error.message === '' ? `The host answered with “${error.code}”.` : error.message, {}, { cause: error })
}

/** Schema faults as oRPC reports them: `{issues: [{path, message}]}`. */
function issuesOf(data: unknown): { path: string; message: string; severity: 'error' }[] {
  if (typeof data !== 'object' || data === null || !('issues' in data) || !Array.isArray(data.issues)) return []
  return data.issues.flatMap((issue: unknown) => {
    if (typeof issue !== 'object' || issue === null || !('message' in issue)) return []
    const path = 'path' in issue && Array.isArray(issue.path) ? issue.path.map(String).join('.') : ''
    return [{ path, message: String(issue.message), severity: 'error' as const }]
  })
}
