import { readFile } from 'node:fs/promises'
import { contentType, findFile, securityHeaders } from '@server/static-files'
import type { ElectronApi } from './electron-api'
import { appScheme } from './page'

/** Has to be called before Electron is ready. */
export function registerAppScheme(protocol: ElectronApi['protocol']): void {
  protocol.registerSchemesAsPrivileged([{ scheme: appScheme, privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } }])
}

/** Serves the built page from its folder, with the headers that the browser gets from the server. */
export function serveAppScheme(protocol: ElectronApi['protocol'], folder: string): void {
  protocol.handle(appScheme, (request) => answer(request, folder))
}

async function answer(request: Request, folder: string): Promise<Response> {
  const url = new URL(request.url)
  const headers = { ...securityHeaders, 'cache-control': 'no-store' }
  if (request.method !== 'GET') return new Response(null, { status: 405, headers })
  const file = url.host === 'app' ? await findFile(folder, decodedPath(url)) : null
  if (file === null) return new Response('There is nothing here.\n', { status: 404, headers: { ...headers, 'content-type': 'text/plain; charset=utf-8' } })
  return new Response(new Uint8Array(await readFile(file.path)), { headers: { ...headers, 'content-type': contentType(file.path) } })
}

/** A path that can't be decoded names no file. */
function decodedPath(url: URL): string {
  try {
    return decodeURIComponent(url.pathname)
  } catch {
    return '\0'
  }
}
