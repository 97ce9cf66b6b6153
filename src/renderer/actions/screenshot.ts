import type { MachineView } from '@shared/model'
import { useClient } from '../transport/client'
import { notify } from './notify'

/** A file name that every system takes: `web-01 2026-11-21 09.30.12.png`. */
export function screenshotName(machineName: string, at: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${String(at.getFullYear())}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  const time = `${two(at.getHours())}.${two(at.getMinutes())}.${two(at.getSeconds())}`
  return `${machineName.replace(/[<>:"/\\|?*]/gu, '_')} ${day} ${time}.png`
}

/** Asks the desktop shell where to put the picture; a browser downloads it. */
export async function saveScreenshot(machine: MachineView): Promise<boolean> {
  const png = await useClient().machine.screenshot({ id: machine.id })
  const suggestedName = screenshotName(machine.definition.name, new Date())
  if (window.ringside) {
    const path = await window.ringside.saveFile({ suggestedName, bytes: new Uint8Array(await png.arrayBuffer()) })
    if (path === null) return false
    notify({ kind: 'done', title: 'Screenshot saved', text: path, action: { label: 'Show in folder', run: () => void window.ringside?.revealInFolder(path) } })
    return true
  }
  const url = URL.createObjectURL(png)
  const anchor = document.createElement('a')
  anchor.href = url
  anchor.download = suggestedName
  anchor.click()
  setTimeout(() => { URL.revokeObjectURL(url) }, 10_000)
  notify({ kind: 'done', title: 'Screenshot downloaded', text: suggestedName })
  return true
}

export async function copyScreenshot(machine: MachineView): Promise<void> {
  const png = await useClient().machine.screenshot({ id: machine.id })
  if (window.ringside) await window.ringside.writeClipboardImage(new Uint8Array(await png.arrayBuffer()))
  else await navigator.clipboard.write([new ClipboardItem({ 'image/png': new Blob([png], { type: 'image/png' }) })])
  notify({ kind: 'done', title: 'Screenshot copied' })
}
