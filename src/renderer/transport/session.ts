/** What became of asking the server for a session. */
export type SessionOutcome = 'ok' | 'refused' | 'unreachable'

/** Takes the one-time token out of the address, so that it is neither kept in the history nor copied along. */
export function takeToken(where: Pick<Location, 'hash' | 'pathname' | 'search'> = location, past: Pick<History, 'replaceState'> = history): string | null {
  const token = tokenOf(where.hash)
  if (token !== null) past.replaceState(null, '', `${where.pathname}${where.search}`)
  return token
}

/** The token of a printed link, or of its fragment alone; null when there is none in it. */
export function tokenOf(link: string): string | null {
  const match = /#\/?\??token=([^&\s]+)/u.exec(link)
  return match?.[1] === undefined ? null : decodeURIComponent(match[1])
}

/** Exchanges the token for the session cookie (HttpOnly, so the page never sees it). */
export async function openSession(token: string): Promise<SessionOutcome> {
  try {
    const answer = await fetch('/session', {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    })
    if (answer.ok) return 'ok'
    return answer.status === 401 || answer.status === 403 ? 'refused' : 'unreachable'
  } catch {
    return 'unreachable'
  }
}

/** Whether the cookie still opens the host: a refused WebSocket upgrade doesn't tell a page why. */
export async function checkSession(): Promise<SessionOutcome> {
  try {
    const answer = await fetch('/session', { method: 'GET', credentials: 'same-origin' })
    if (answer.status === 401 || answer.status === 403) return 'refused'
    if (!answer.ok) return 'unreachable'
    const body: unknown = await answer.json()
    return typeof body === 'object' && body !== null && 'signedIn' in body && body.signedIn === false ? 'refused' : 'ok'
  } catch {
    return 'unreachable'
  }
}
