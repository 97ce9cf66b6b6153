import { ErrorShape, type ErrorCode, type ErrorData, type Issue } from './error-codes'

/** The one error class that is thrown on purpose; anything else that is thrown is a defect and becomes `INTERNAL`. */
export class RingsideError extends Error {
  readonly code: ErrorCode
  readonly data: ErrorData

  /**
   * @param message a capitalised sentence fit to show a person
   * @param data what to do next and what it is about; all optional
   */
  constructor(code: ErrorCode, message: string, data: ErrorData = {}, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'RingsideError'
    this.code = code
    this.data = data
  }
}

/** An error that carries every fault at once: `INVALID_INPUT`, or what a single fault is of its own. */
export function invalidInput(issues: Issue[], summary?: string): RingsideError {
  const message = summary ?? (issues.length === 1 && issues[0] ? issues[0].message : `${String(issues.length)} fields need attention.`)
  const code = issues.length === 1 ? issues[0]?.code : undefined
  return new RingsideError(code ?? 'INVALID_INPUT', message, { issues })
}

/** The words of anything thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** Turns anything thrown into plain data. A value that is no `RingsideError` becomes `INTERNAL` with its message. */
export function serialiseError(thrown: unknown): ErrorShape {
  if (thrown instanceof RingsideError) return { code: thrown.code, message: thrown.message, data: thrown.data }
  return { code: 'INTERNAL', message: messageOf(thrown), data: {} }
}

/** Makes a `RingsideError` again of what `serialiseError` made; malformed data becomes `INTERNAL`. */
export function reviveError(shape: unknown): RingsideError {
  const parsed = ErrorShape.safeParse(shape)
  if (!parsed.success) return new RingsideError('INTERNAL', 'An error arrived in a form that this version does not know.')
  return new RingsideError(parsed.data.code, parsed.data.message, parsed.data.data)
}

/** Whether the thrown value is a `RingsideError`, of the given code when one is named. */
export function isRingsideError(thrown: unknown, code?: ErrorCode): thrown is RingsideError {
  return thrown instanceof RingsideError && (code === undefined || thrown.code === code)
}
