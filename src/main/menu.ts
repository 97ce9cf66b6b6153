import type { MenuItemConstructorOptions } from 'electron'
import type { MenuCommand } from '@shared/contract/bridge'

export interface MenuActions {
  command: (command: MenuCommand) => void
  openLibraryFolder: () => void
}

type Item = MenuItemConstructorOptions
const separator: Item = { type: 'separator' }

/**
 * The application menu. Few shortcuts on purpose: what a person types into a console belongs to the guest, and those that there are
 * reach the menu only when the page did not use the key.
 */
export function applicationMenu(platform: NodeJS.Platform, development: boolean, { command, openLibraryFolder }: MenuActions): Item[] {
  const mac = platform === 'darwin'
  const computer: Item = { label: 'This Computer', click: () => { command({ type: 'showComputer' }) } }
  const file: Item = {
    label: '&File',
    submenu: [
      { label: 'New Machine…', accelerator: 'CmdOrCtrl+N', click: () => { command({ type: 'newMachine' }) } },
      { label: 'Create Sample Machine', click: () => { command({ type: 'createSample' }) } },
      separator,
      computer,
      { label: mac ? 'Show Library in Finder' : 'Show Library Folder', click: openLibraryFolder },
      separator,
      mac ? { role: 'close' } : { role: 'quit' },
    ],
  }
  const machine: Item = {
    label: '&Machine',
    submenu: [
      { label: 'Take a Snapshot…', accelerator: 'CmdOrCtrl+Shift+S', click: () => { command({ type: 'takeSnapshot' }) } },
      { label: 'Clone…', click: () => { command({ type: 'cloneMachine' }) } },
    ],
  }
  const view: Item = {
    label: '&View',
    submenu: [
      { label: 'Switch Between Light and Dark', click: () => { command({ type: 'toggleDark' }) } },
      separator,
      { role: 'resetZoom' }, { role: 'zoomIn' }, { role: 'zoomOut' },
      separator,
      { role: 'togglefullscreen' },
      ...(development ? [separator, { role: 'reload' as const }, { role: 'forceReload' as const }, { role: 'toggleDevTools' as const }] : []),
    ],
  }
  const help: Item = { role: 'help', submenu: [{ ...computer, label: 'What This Computer Can Run' }, ...(mac ? [] : [separator, { role: 'about' as const }])] }
  return [...(mac ? [{ role: 'appMenu' as const }] : []), file, { role: 'editMenu' }, machine, view, ...(mac ? [{ role: 'windowMenu' as const }] : []), help]
}
