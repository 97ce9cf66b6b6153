import { isRingsideError, messageOf } from '@shared/errors'
import type { ElectronApi } from './electron-api'

/** What went wrong and what to do, for a person. */
export function inWords(error: unknown): string {
  if (isRingsideError(error)) return [error.message, error.data.hint].filter(Boolean).join('\n\n')
  return messageOf(error)
}

export interface StartFailureDependencies {
  electron: Pick<ElectronApi, 'dialog' | 'shell'>
  /** A link to the page of the host that has the library; null when it serves none. */
  linkOfOtherHost: () => Promise<string | null>
}

/** Tells why there is no window. Where another host has the library, offers its page in the browser. */
export async function explainStartFailure(error: unknown, { electron: { dialog, shell }, linkOfOtherHost }: StartFailureDependencies): Promise<void> {
  const link = isRingsideError(error, 'LIBRARY_LOCKED') ? await linkOfOtherHost().catch(() => null) : null
  if (link === null) {
    dialog.showErrorBox('Ringside could not start', inWords(error))
    return
  }
  const { response } = await dialog.showMessageBox({
    type: 'info',
    message: 'Ringside is running already.',
    detail: `${inWords(error)}\n\nThe same machines can be seen in the browser.`,
    buttons: ['Open in Browser', 'Quit'],
    defaultId: 0,
    cancelId: 1,
    noLink: true,
  })
  if (response === 0) await shell.openExternal(link)
}
