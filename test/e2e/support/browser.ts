import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'

const executable = process.env['RINGSIDE_CHROMIUM'] ?? '/usr/bin/chromium'

// A closed network makes Chromium's own background look-ups fail many at a time; as root it has no sandbox of its own.
const flags = [
  '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
]

export interface BrowserSession extends AsyncDisposable {
  readonly page: Page
  /** Requests that left this machine: there must be none. */
  readonly outside: readonly string[]
  /** Errors of the page: uncaught ones and those on its console. */
  readonly errors: readonly string[]
}

/** A fresh profile in Debian's Chromium, with everything that the page does wrong written down. */
export async function openBrowser(options: { width?: number; height?: number; dark?: boolean } = {}): Promise<BrowserSession> {
  const profile = await mkdtemp(join(tmpdir(), 'ringside-browser-'))
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: executable,
    headless: true,
    viewport: { width: options.width ?? 1280, height: options.height ?? 800 },
    colorScheme: options.dark === true ? 'dark' : 'light',
    permissions: ['clipboard-read', 'clipboard-write'],
    args: flags,
    // Crash reports go below the configuration folder, whatever the profile.
    env: { ...process.env, XDG_CONFIG_HOME: join(profile, 'config') },
  })
  const page = context.pages()[0] ?? (await context.newPage())
  page.setDefaultTimeout(30_000)
  const outside: string[] = []
  const errors: string[] = []
  page.on('request', (request) => {
    if (!/^(?:https?|wss?):\/\/(?:127\.0\.0\.1|localhost|\[::1\])[:/]|^(?:data|blob|about):/u.test(request.url())) outside.push(request.url())
  })
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text())
  })
  return {
    page,
    outside,
    errors,
    async [Symbol.asyncDispose]() {
      await context.close()
      await rm(profile, { recursive: true, force: true })
    },
  }
}
