import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ErrorShape, RingsideError } from '@shared/errors'
import { securityHeaders } from './static-files'

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body)
  response.writeHead(status, { ...securityHeaders, 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), 'cache-control': 'no-store' })
  response.end(text)
}

/** Answers with an error as JSON: `{code, message, data}`. The connection closes, since a body may still be on its way. */
export function refuse(response: ServerResponse, status: number, error: RingsideError | ErrorShape): void {
  response.setHeader('connection', 'close')
  sendJson(response, status, shapeOf(error))
}

/** Turns an upgrade request away, with the reason in the body. */
export function refuseUpgrade(socket: Duplex, status: number, error: RingsideError | ErrorShape): void {
  const body = JSON.stringify(shapeOf(error))
  socket.end(
    `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json\r\ncontent-length: ${String(Buffer.byteLength(body))}\r\nconnection: close\r\n\r\n${body}`,
  )
}

function shapeOf(error: RingsideError | ErrorShape): ErrorShape {
  return { code: error.code, message: error.message, data: error.data }
}
