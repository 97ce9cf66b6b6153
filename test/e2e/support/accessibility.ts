import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'

let source: Promise<string> | undefined

/** Rules of the current WCAG up to level AA, and what axe holds to be good practice. */
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/**
 * Has axe look at the page as it stands, in the light and in the dark theme. Each fault is one line: theme, rule, element, what is wrong.
 * `within` is the part to look at: a menu, while the page beside it is hidden from assistive technology.
 */
export async function accessibilityFaults(page: Page, within = 'html'): Promise<string[]> {
  const faults: string[] = []
  for (const colorScheme of ['light', 'dark'] as const) {
    // A tip that the pointer happens to raise is none of the page's own.
    await page.mouse.move(0, 0)
    // Colours that are still on their way from one theme to the other would be measured as neither.
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.waitForFunction((dark) => document.documentElement.classList.contains('dark') === dark, colorScheme === 'dark')
    await page.evaluate(() => Promise.all(document.getAnimations().filter((each) => each.effect?.getComputedTiming().iterations !== Infinity).map((each) => each.finished.catch(() => undefined))))
    const results = await runAxe(page, within)
    for (const violation of results.violations) {
      for (const node of violation.nodes) faults.push(`${colorScheme}: ${violation.id}: ${node.target.join(' ')}: ${node.failureSummary ?? violation.help}`)
    }
  }
  return faults
}

async function runAxe(page: Page, within: string): Promise<AxeResults> {
  source ??= readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  // Through the debugger: the page's own content security policy lets no such script in.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(await source)
  return page.evaluate(
    ([selector, values]) => (window as unknown as { axe: { run(context: string, options: object): Promise<AxeResults> } }).axe.run(selector, {
      runOnly: { type: 'tag', values }, rules: { 'label-content-name-mismatch': { enabled: true } }, resultTypes: ['violations'],
    }),
    [within, tags] as const,
  )
}
