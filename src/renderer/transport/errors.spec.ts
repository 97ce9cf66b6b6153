import { ORPCError } from '@orpc/client'
import { RingsideError } from '@shared/errors'
import { expect, test } from 'vitest'
import { toRingsideError } from './errors'

test('an error of the contract keeps its code, sentence, hint and process', () => {
  const process = { command: 'qemu', argv: [], exitCode: 1, signal: null, stderrTail: 'no' }
  const error = toRingsideError(new ORPCError('QEMU_FAILED', { message: 'QEMU ended.', data: { hint: 'Look.', process } }))
  expect(error).toBeInstanceOf(RingsideError)
  expect(error).toMatchObject({ code: 'QEMU_FAILED', message: 'QEMU ended.', data: { hint: 'Look.', process } })
})

test('a refusal by the schema becomes the faults of the fields', () => {
  const error = toRingsideError(new ORPCError('BAD_REQUEST', { message: 'Input validation failed', data: { issues: [{ path: ['source', 'path'], message: 'Choose a file.' }] } }))
  expect(error).toMatchObject({ code: 'INVALID_INPUT', data: { issues: [{ path: 'source.path', message: 'Choose a file.', severity: 'error' }] } })
})

test('a call cut short by the connection says so, an aborted one was cancelled', () => {
  expect(toRingsideError(new Error('Cannot send message, WebSocket is not open.'))).toMatchObject({ code: 'PROTOCOL' })
  expect(toRingsideError(new DOMException('x', 'AbortError'))).toMatchObject({ code: 'CANCELLED' })
  expect(toRingsideError('odd')).toMatchObject({ code: 'INTERNAL', message: 'odd' })
})
