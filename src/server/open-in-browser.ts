import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** How long the browser may take to read the page that leads on. Milliseconds. */
const keepPageMs = 30_000

/**
 * Opens the link in the user's browser. It goes there by way of a page in a private folder, because other users could read a
 * command line, and with it the token.
 * @param insist try even where no desktop is in sight
 */
export async function openInBrowser(link: string, privateFolder: string, insist: boolean): Promise<void> {
  const opener = openerFor(process.platform)
  if (!insist && !hasDesktop()) return
  const page = join(privateFolder, `open-${String(process.pid)}.html`)
  await rm(page, { force: true })
  await writeFile(page, `<!doctype html><meta charset="utf-8"><title>Ringside</title><script>location.replace(${JSON.stringify(link)})</script>\n`, { mode: 0o600, flag: 'wx' })
  setTimeout(() => void rm(page, { force: true }), keepPageMs).unref()
  const child = spawn(opener.command, [...opener.args, pathToFileURL(page).href], { stdio: 'ignore', detached: true })
  await once(child, 'spawn')
  child.unref()
}

function openerFor(platform: NodeJS.Platform): { command: string; args: string[] } {
  if (platform === 'darwin') return { command: 'open', args: [] }
  // `start` is a word of cmd.exe; rundll32 takes the address as it is, without a shell.
  if (platform === 'win32') return { command: 'rundll32', args: ['url.dll,FileProtocolHandler'] }
  return { command: 'xdg-open', args: [] }
}

function hasDesktop(): boolean {
  if (process.platform !== 'linux') return true
  return [process.env['DISPLAY'], process.env['WAYLAND_DISPLAY']].some((display) => display !== undefined && display !== '')
}
