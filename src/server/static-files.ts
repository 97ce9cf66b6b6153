import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { extname, join, normalize, sep } from 'node:path'
import { pipeline } from 'node:stream/promises'

const mimeTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2', '.woff': 'font/woff', '.json': 'application/json', '.png': 'image/png', '.ico': 'image/x-icon', '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json', '.txt': 'text/plain; charset=utf-8', '.map': 'application/json',
}

/**
 * What the page may do: load its own files and talk to its own server, nothing else. Styles may be inline because the
 * component library sets them on elements; scripts may not.
 */
const contentSecurityPolicy = [
  "default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data: blob:", "font-src 'self' data:",
  "connect-src 'self'", "worker-src 'self' blob:", "manifest-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
].join('; ')

export const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), usb=(), serial=()',
}

/** Serves the files of `root`; `/` is `index.html`. Answers 404 for whatever is no file in it, links that lead out included. */
export async function serveStatic(root: string, path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const file = await findFile(root, path)
  if (file === null) {
    response.writeHead(404, { ...securityHeaders, 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
    response.end('There is nothing here.\n')
    return
  }
  const headers: Record<string, string | number> = {
    ...securityHeaders,
    'content-type': contentType(file.path),
    'content-length': file.bytes,
    'cache-control': cacheControl(file.path),
  }
  response.writeHead(200, headers)
  if (request.method === 'HEAD') response.end()
  else await pipeline(createReadStream(file.path), response)
}

/** The file of `root` that a decoded URL path names; null when there is none, or it lies elsewhere. `/` is `index.html`. */
export async function findFile(root: string, path: string): Promise<{ path: string; bytes: number } | null> {
  if (path.includes('\0')) return null
  const wanted = normalize(join(root, path === '/' ? 'index.html' : path))
  try {
    // Compared after following links, so that none of them leads out of the folder.
    const [realRoot, realFile] = await Promise.all([realpath(root), realpath(wanted)])
    if (!realFile.startsWith(realRoot + sep)) return null
    const found = await stat(realFile)
    return found.isFile() ? { path: realFile, bytes: found.size } : null
  } catch {
    return null
  }
}

export function contentType(path: string): string {
  return mimeTypes[extname(path).toLowerCase()] ?? 'application/octet-stream'
}

/** Files with a digest in their name never change; the page and everything else is asked for each time. */
function cacheControl(path: string): string {
  return /[.-][A-Za-z0-9_-]{8,}\.(?!html)[a-z0-9]+$/u.test(path) && path.includes(`${sep}assets${sep}`) ? 'public, max-age=31536000, immutable' : 'no-store'
}
