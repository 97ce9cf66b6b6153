import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

/** Names by which this computer calls itself. */
const loopbackNames = new Set(['localhost', '127.0.0.1', '::1'])

/** Whether only this computer can reach the address. */
export function isLoopback(address: string): boolean {
  const bare = unbracket(address).toLowerCase()
  return loopbackNames.has(bare) || /^127(\.\d{1,3}){3}$/u.test(bare)
}

/**
 * Decides which `Host` headers are answered. A page of an attacker whose name is made to point at this computer (DNS rebinding)
 * still sends its own name here, and is turned away. Names that were asked for, loopback names and plain IP addresses (which
 * cannot be rebound) pass; the port does not matter, so that a proxy for development may stand in between.
 */
export function createHostCheck(bindAddress: string, extraNames: readonly string[] = []): (request: IncomingMessage) => boolean {
  const allowed = new Set([...extraNames, ...(isWildcard(bindAddress) ? [] : [bindAddress])].map((name) => unbracket(name).toLowerCase()))
  const open = !isLoopback(bindAddress)
  return (request) => {
    const name = hostNameOf(request.headers.host)
    if (name === null) return false
    return loopbackNames.has(name) || allowed.has(name) || (open && isIP(name) !== 0)
  }
}

/** Whether the request comes from a page of this very server, or from no page at all. A `null` origin (sandboxed frame, file) does not pass. */
export function isSameOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers
  if (origin === undefined) return true
  const url = URL.canParse(origin) ? new URL(origin) : null
  return url !== null && (url.protocol === 'http:' || url.protocol === 'https:') && url.host === host?.toLowerCase()
}

function hostNameOf(header: string | undefined): string | null {
  if (header === undefined || !URL.canParse(`http://${header}/`)) return null
  const url = new URL(`http://${header}/`)
  // Anything beside name and port would be read differently by others.
  if (url.username !== '' || url.pathname !== '/' || url.search !== '' || url.hash !== '') return null
  return unbracket(url.hostname).toLowerCase()
}

function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::' || address === ''
}

function unbracket(address: string): string {
  return address.replace(/^\[|\]$/gu, '')
}
