import { ORPCError } from '@orpc/server'
import { ValidationError } from '@orpc/contract'
import { RingsideError, invalidInput, serialiseError, type Issue } from '@shared/errors'

/** Takes defects (errors that nobody threw on purpose) for the log of the host. */
export type DefectLog = (error: unknown, procedure: string) => void

interface Call {
  path: readonly string[]
  next: () => Promise<unknown>
}

/**
 * What wraps every call of the contract: whatever is thrown leaves as one of the contract's declared errors, with its data.
 * A defect becomes `INTERNAL`, and is logged here because the client only sees its message.
 */
export function errorInterceptor(log: DefectLog): (call: Call) => Promise<unknown> {
  return async ({ path, next }) => {
    const procedure = path.join('.')
    try {
      const output = await next()
      return isAsyncIterator(output) ? mapIteratorErrors(output, procedure, log) : output
    } catch (thrown) {
      throw toRpcError(thrown, procedure, log)
    }
  }
}

/** Turns anything thrown by a use case, or by the contract's own validation, into a declared error of the contract. */
export function toRpcError(thrown: unknown, procedure: string, log: DefectLog): ORPCError<string, unknown> {
  const known = thrown instanceof RingsideError ? thrown : fromInvalidInput(thrown)
  if (known) return new ORPCError(known.code, { message: known.message, data: known.data, cause: thrown })
  // A client that left is no defect: the signal's reason is thrown through whatever was waiting.
  if (thrown instanceof Error && thrown.name === 'AbortError') {
    return new ORPCError('CANCELLED', { message: 'The request was cancelled.', data: {}, cause: thrown })
  }
  log(thrown, procedure)
  const shape = serialiseError(thrown)
  return new ORPCError('INTERNAL', {
    message: `Ringside made a mistake in ${procedure}: ${shape.message}`,
    data: { hint: 'The log of the host has the details; restarting Ringside leaves running machines alone.' },
    cause: thrown,
  })
}

/** The contract library's report of a malformed input, as ours; null for any other error. */
function fromInvalidInput(thrown: unknown): RingsideError | null {
  if (!(thrown instanceof ORPCError)) return null
  // NOT_FOUND of the library itself would be an unknown procedure; it answers that as a bare 404 and never throws it here.
  if (thrown.code !== 'BAD_REQUEST' || !(thrown.cause instanceof ValidationError)) return null
  const { issues, data } = thrown.cause
  return invalidInput(
    issues.map((fault): Issue => {
      const keys = (fault.path ?? []).map((part) => (typeof part === 'object' ? part.key : part))
      const received = isSecret(keys) ? undefined : shortText(valueAt(data, keys))
      return { path: keys.map(String).join('.'), message: fault.message, severity: 'error', ...(received === undefined ? {} : { received }) }
    }),
  )
}

function valueAt(root: unknown, keys: readonly PropertyKey[]): unknown {
  let value = root
  for (const key of keys) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Record<PropertyKey, unknown>)[key]
  }
  return value
}

/** What is not repeated to anybody. */
function isSecret(keys: readonly PropertyKey[]): boolean {
  return keys.some((key) => /password|passphrase|secret/iu.test(String(key)))
}

/** At most 200 characters of a plain value; objects would not help the reader. */
function shortText(value: unknown): string | undefined {
  if (value === null) return 'null'
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return undefined
  const text = String(value)
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

function isAsyncIterator(value: unknown): value is AsyncGenerator<unknown, unknown, void> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value && 'next' in value
}

async function* mapIteratorErrors(events: AsyncGenerator<unknown, unknown, void>, procedure: string, log: DefectLog): AsyncGenerator<unknown, unknown, void> {
  try {
    return yield* events
  } catch (thrown) {
    throw toRpcError(thrown, procedure, log)
  }
}
