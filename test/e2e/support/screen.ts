import type { Page } from 'playwright-core'
import { crop, decodePng, type Picture } from '../../vm/support/screen'

/** The guest's screen as the console shows it now. */
export async function consolePicture(page: Page): Promise<Picture> {
  return decodePng(await page.getByTestId('screen-stage').locator('canvas').screenshot())
}

/** Looks at the console's picture until it is as wished; rejects with the last reason when it never is. */
export async function untilPicture(page: Page, wished: (picture: Picture) => boolean, what: string, timeoutMs = 60_000): Promise<Picture> {
  const giveUpAt = performance.now() + timeoutMs
  for (;;) {
    const picture = await consolePicture(page)
    if (wished(picture)) return picture
    if (performance.now() > giveUpAt) throw new Error(`The console never showed ${what}.`)
    // The next frame that the page paints.
    await page.evaluate(() => new Promise((painted) => requestAnimationFrame(painted)))
  }
}

/** Where the sample machine tells the last key, out of a picture of its screen at any size: the rest of it moves by itself. */
export function lastKeyPicture(picture: Picture): Picture {
  const part = (share: number, of: number): number => Math.round(share * of)
  return crop(picture, part(0.6, picture.width), part(0.63, picture.height), part(0.31, picture.width), part(0.12, picture.height))
}
