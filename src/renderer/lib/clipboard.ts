/** Puts text on the clipboard, through the desktop bridge where there is one. Resolves to whether it is there now. */
export async function copyText(text: string): Promise<boolean> {
  try {
    if (window.ringside) await window.ringside.writeClipboardText(text)
    else await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}
