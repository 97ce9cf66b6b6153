import { afterEach, expect, test, vi } from 'vitest'
import { checkSession, openSession, takeToken, tokenOf } from './session'

afterEach(() => { vi.unstubAllGlobals() })

test('the token is taken out of the address', () => {
  const replaceState = vi.fn()
  expect(takeToken({ hash: '#token=a%2Bb', pathname: '/', search: '?x=1' }, { replaceState })).toBe('a+b')
  expect(replaceState).toHaveBeenCalledWith(null, '', '/?x=1')
})

test('a pasted link gives its token, anything else none', () => {
  expect(tokenOf(' http://127.0.0.1:8460/#token=abc ')).toBe('abc')
  expect(tokenOf('http://127.0.0.1:8460/')).toBeNull()
})

test('an address without a token is left as it is', () => {
  const replaceState = vi.fn()
  expect(takeToken({ hash: '#/machines/1/overview', pathname: '/', search: '' }, { replaceState })).toBeNull()
  expect(replaceState).not.toHaveBeenCalled()
})

test('a spent token is refused, a host that is away is unreachable', async () => {
  vi.stubGlobal('fetch', vi.fn().mockResolvedValueOnce(new Response('', { status: 403 })).mockResolvedValueOnce(new Response('{}')).mockRejectedValueOnce(new TypeError('away')))
  expect([await openSession('spent'), await openSession('good'), await openSession('any')]).toEqual(['refused', 'ok', 'unreachable'])
})

test('the server says whether the cookie still counts', async () => {
  vi.stubGlobal('fetch', vi.fn().mockResolvedValueOnce(Response.json({ signedIn: false })).mockResolvedValueOnce(Response.json({ signedIn: true })).mockResolvedValueOnce(new Response('', { status: 502 })))
  expect([await checkSession(), await checkSession(), await checkSession()]).toEqual(['refused', 'ok', 'unreachable'])
})
