/** The scheme that the window's page is served under: an origin of its own, which `file:` has not. */
export const appScheme = 'ringside'
const appUrl = `${appScheme}://app/`

/** Where the window's page comes from. */
export interface Page {
  readonly url: string
  /** Whether the address is the page's own: same scheme, host and port. */
  isOurs(url: string): boolean
}

/** @param devServerUrl address of Vite's server during development */
export function pageFrom(devServerUrl: string | undefined): Page {
  const url = devServerUrl ?? appUrl
  const wanted = originOf(url)
  return { url, isOurs: (other) => wanted !== null && originOf(other) === wanted }
}

/** `URL.origin` is "null" for schemes that are not the web's own, and two of those would be equal. */
function originOf(address: string): string | null {
  const url = URL.parse(address)
  return url === null ? null : `${url.protocol}//${url.host}`
}
