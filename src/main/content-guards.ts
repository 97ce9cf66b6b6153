import type { Session, WebContents } from 'electron'
import type { Page } from './page'

/** What the page may ask for: filling the screen with a console, and taking pointer and keys for it. */
const grantedPermissions: ReadonlySet<string> = new Set(['fullscreen', 'pointerLock', 'keyboardLock'])

/** Keeps whatever content there is on our page: no navigation, no new windows, no embedded views. */
export function guardContents(contents: WebContents, page: Page, openInBrowser: (url: string) => void): void {
  const stay = (event: { preventDefault(): void; url: string }): void => {
    if (!page.isOurs(event.url)) event.preventDefault()
  }
  contents.on('will-navigate', stay)
  contents.on('will-frame-navigate', stay)
  contents.on('will-redirect', stay)
  contents.on('will-attach-webview', (event) => { event.preventDefault() })
  contents.setWindowOpenHandler(({ url }) => {
    if (isWebLink(url)) openInBrowser(url)
    return { action: 'deny' }
  })
}

/** Refuses permissions, devices and every request to a network: the page talks to its host over message ports alone. */
export function guardSession(session: Session, page: Page): void {
  const granted = (permission: string, url: string, isMainFrame: boolean): boolean =>
    isMainFrame && page.isOurs(url) && grantedPermissions.has(permission)
  session.setPermissionRequestHandler((_contents, permission, answer, details) => {
    answer(granted(permission, details.requestingUrl, details.isMainFrame))
  })
  session.setPermissionCheckHandler((_contents, permission, origin, details) => granted(permission, origin, details.isMainFrame))
  session.setDevicePermissionHandler(() => false)
  session.webRequest.onBeforeRequest({ urls: ['<all_urls>'] }, (details, answer) => {
    answer({ cancel: isNetworkUrl(details.url) && !page.isOurs(asHttp(details.url)) })
  })
}

function isNetworkUrl(url: string): boolean {
  return /^(https?|wss?|ftp|file):/iu.test(url)
}

/** Vite's hot reload has a WebSocket on the page's own host and port. */
function asHttp(url: string): string {
  return url.replace(/^ws(s?):/iu, 'http$1:')
}

function isWebLink(address: string): boolean {
  const url = URL.parse(address)
  return url?.protocol === 'https:' && url.username === '' && url.password === ''
}
