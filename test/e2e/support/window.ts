import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { processesNaming } from '../../vm/support/processes'
import { openBrowser } from './browser'
import { makeFolders, removeFolders, startServer, type ServedApp } from './server'

const results = resolve(import.meta.dirname, '../../../test-results')

export interface WindowTest {
  readonly page: Page
  readonly app: ServedApp
}

/**
 * Runs a test in a window of its own on a library of its own, and holds it to what every test must leave behind: no request to
 * elsewhere, no error in the page, no process. A failure leaves a picture of the window in test-results/.
 */
export async function inWindow(name: string, options: { dark?: boolean; width?: number; height?: number; expectedErrors?: RegExp }, run: (window: WindowTest) => Promise<void>): Promise<void> {
  const folders = await makeFolders()
  try {
    await using app = await startServer(folders)
    await using browser = await openBrowser(options)
    const { page } = browser
    try {
      await page.goto(app.link)
      await run({ page, app })
      expect(browser.outside).toEqual([])
      expect(browser.errors.filter((error) => options.expectedErrors?.test(error) !== true)).toEqual([])
    } catch (thrown) {
      await mkdir(results, { recursive: true })
      await page.screenshot({ path: join(results, `${name}.png`) }).catch(() => undefined)
      throw thrown
    }
  } finally {
    for (const { pid } of await processesNaming(folders.runtime)) process.kill(pid, 'SIGKILL')
    await removeFolders(folders)
  }
}
