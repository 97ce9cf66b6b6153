import { test } from 'vitest'
import { difference, lightShare } from '../vm/support/screen'
import { isFocused, tabTo } from './support/focus'
import { lastKeyPicture, untilPicture } from './support/screen'
import { inWindow } from './support/window'

test('a machine is made, used, saved, restored, switched off and deleted without a pointer', async () => {
  await inWindow('keyboard', {}, async ({ page }) => {
    const state = (word: string): Promise<void> => page.getByRole('main').locator('header').getByText(word, { exact: true }).waitFor()

    // Made from the invitation of the empty library.
    await tabTo(page, page.getByRole('button', { name: /Try the sample machine/u }))
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/console/u)
    const canvas = page.getByTestId('screen-stage').locator('canvas')
    await canvas.waitFor()
    const before = lastKeyPicture(await untilPicture(page, (picture) => lightShare(lastKeyPicture(picture)) > 0.02, 'the sample'))

    // The console takes the keyboard, Tab included, and gives it back with Ctrl and Alt.
    await tabTo(page, canvas)
    await page.keyboard.press('Tab')
    await isFocused(canvas)
    await page.keyboard.type('q')
    await untilPicture(page, (picture) => difference(lastKeyPicture(picture), before) > 0.01, 'the key that was typed')
    await page.keyboard.down('Control')
    await page.keyboard.down('Alt')
    await page.keyboard.up('Alt')
    await page.keyboard.up('Control')
    await isFocused(page.getByRole('button', { name: /size of the picture/u }))

    await page.keyboard.press('Control+Shift+P')
    await state('Paused')
    await page.keyboard.press('Control+Enter')
    await state('Running')

    // By its name in the palette.
    await page.keyboard.press('Control+k')
    await page.keyboard.type('save to disk')
    await page.getByRole('option', { name: /Save to disk/u }).waitFor()
    await page.keyboard.press('Enter')
    await state('Saved')
    await page.keyboard.press('Control+Enter')
    await state('Running')

    // From a menu of the toolbar; backwards, since forwards lies the console, which would keep the Tab key.
    await tabTo(page, page.getByRole('button', { name: 'Other ways to end it' }), 'Shift+Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('menu').waitFor()
    await page.keyboard.press('End')
    await isFocused(page.getByRole('menuitem', { name: 'Power off' }))
    await page.keyboard.press('Enter')
    await state('Stopped')

    // Deleted from the list, where the question starts on its harmless answer.
    await tabTo(page, page.getByRole('option', { name: /^Sample/u }))
    await page.keyboard.press('Delete')
    const question = page.getByRole('dialog')
    await isFocused(question.getByRole('button', { name: 'Cancel' }))
    await tabTo(page, question.getByRole('button', { name: /Move to trash|Delete for good/u }))
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Create your first machine' }).waitFor()
  })
})
