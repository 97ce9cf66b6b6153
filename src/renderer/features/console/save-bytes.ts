/**
 * Saves bytes where the person wants them: by the system's dialog in the desktop shell, else as a download.
 * @returns the path where it is known; null when the dialog was closed; empty for a download
 */
export async function saveBytes(suggestedName: string, blob: Blob): Promise<string | null> {
  if (window.ringside) return window.ringside.saveFile({ suggestedName, bytes: new Uint8Array(await blob.arrayBuffer()) })
  const url = URL.createObjectURL(blob)
  const anchor = document.createElement('a')
  anchor.href = url
  anchor.download = suggestedName
  anchor.click()
  // The browser has taken the address by the next task; keeping it longer would keep the bytes.
  setTimeout(() => { URL.revokeObjectURL(url) }, 0)
  return ''
}

/** A file name out of a machine's name and the present moment, e.g. `web-01 serial 1 2026-11-21 09.30.15.log`. */
export function stampedName(machineName: string, extension: string, at = new Date()): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${String(at.getFullYear())}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  const time = `${two(at.getHours())}.${two(at.getMinutes())}.${two(at.getSeconds())}`
  return `${machineName.replace(/[<>:"/\\|?*]/gu, '_')} ${day} ${time}.${extension}`
}
