import type { WebContents, WebFrameMain } from 'electron'
import type { Page } from './page'

/** The part of an IPC event that says where it comes from. */
export interface IpcSender {
  readonly sender: WebContents
  /** null when the frame is gone. */
  readonly senderFrame: WebFrameMain | null
}

/** Whether a message comes from the main frame of our own window while it shows our own page. */
export function isFromPage(event: IpcSender, contents: WebContents | null, page: Page): boolean {
  return contents !== null && event.sender === contents && event.senderFrame !== null && event.senderFrame.parent === null && page.isOurs(event.senderFrame.url)
}
