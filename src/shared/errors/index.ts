export { ErrorCode, ErrorData, ErrorShape, Issue, ProcessFailure } from './error-codes'
export { RingsideError, invalidInput, isRingsideError, messageOf, reviveError, serialiseError } from './ringside-error'
export { schemaIssues } from './schema-words'
