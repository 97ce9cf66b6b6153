import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** Links that may be open at once, and browsers that may be signed in at once; the oldest makes room. */
const maxTokens = 16
const maxSessions = 64

/**
 * Who may talk to the server: a one-time token from a printed link is exchanged for a session that a browser keeps as a cookie.
 * Only digests are kept, and comparing them takes the same time wherever they differ.
 */
export interface Sessions {
  /** A new token, good for one exchange. */
  issueToken(): string
  /** The `Set-Cookie` value of a new session; null when the token is none that is open. */
  exchange(token: string): string | null
  /** Whether the request carries the cookie of a session. */
  isSignedIn(request: IncomingMessage): boolean
  /** The `Set-Cookie` value that ends the request's session. */
  signOut(request: IncomingMessage): string
}

/** @param port tells several servers on one computer apart, whose cookies a browser would mix up */
export function createSessions(port: () => number): Sessions {
  const tokens: Buffer[] = []
  const sessions: Buffer[] = []
  const cookieName = (): string => `ringside_session_${String(port())}`
  // No `Secure`: the server speaks plain HTTP on loopback, where a browser would then not send the cookie.
  const attributes = 'HttpOnly; SameSite=Strict; Path=/'

  const secretOf = (request: IncomingMessage): string => {
    const prefix = `${cookieName()}=`
    for (const part of (request.headers.cookie ?? '').split(';')) {
      const pair = part.trim()
      if (pair.startsWith(prefix)) return pair.slice(prefix.length)
    }
    return ''
  }

  return {
    issueToken() {
      const token = newSecret()
      keep(tokens, token, maxTokens)
      return token
    },
    exchange(token) {
      const index = findDigest(tokens, token)
      if (index < 0) return null
      tokens.splice(index, 1)
      const secret = newSecret()
      keep(sessions, secret, maxSessions)
      return `${cookieName()}=${secret}; ${attributes}`
    },
    isSignedIn: (request) => findDigest(sessions, secretOf(request)) >= 0,
    signOut(request) {
      const index = findDigest(sessions, secretOf(request))
      if (index >= 0) sessions.splice(index, 1)
      return `${cookieName()}=; ${attributes}; Max-Age=0`
    },
  }
}

function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

function digest(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

function keep(digests: Buffer[], secret: string, limit: number): void {
  digests.push(digest(secret))
  if (digests.length > limit) digests.shift()
}

/** Looks at every entry, found or not. */
function findDigest(digests: readonly Buffer[], secret: string): number {
  const wanted = digest(secret)
  let found = -1
  digests.forEach((candidate, index) => {
    if (timingSafeEqual(candidate, wanted)) found = index
  })
  return found
}
