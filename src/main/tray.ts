import type { MenuItemConstructorOptions, NativeImage } from 'electron'
import type { Disposer, MachineManager } from '@core/app/services'
import type { MenuCommand } from '@shared/contract/bridge'
import { isLive, stateInWords, whyRefused, type MachineAction, type MachineView } from '@shared/model'
import type { ElectronApi } from './electron-api'

export interface TrayActions {
  show: () => void
  command: (command: MenuCommand) => void
  /** Does it, and tells the person when it fails. */
  act: (action: TrayAction, machine: MachineView) => void
  quit: () => void
}

const machineActions = ['pause', 'resume', 'shutDown', 'save'] as const
export type TrayAction = (typeof machineActions)[number]

const actionLabels: Readonly<Record<TrayAction, string>> = { pause: 'Pause', resume: 'Resume', shutDown: 'Shut Down', save: 'Save to Disk' }

/** The tray's menu: the machines that run, each with what may be done to it now. */
export function trayMenu(machines: readonly MachineView[], { show, command, act, quit }: TrayActions): MenuItemConstructorOptions[] {
  const live = liveByName(machines)
  return [
    { label: 'Show Ringside', click: show },
    { type: 'separator' },
    ...(live.length === 0 ? [{ label: 'No machine is running', enabled: false }] : live.map((machine) => machineItem(machine, command, act))),
    { type: 'separator' },
    { label: 'New Machine…', click: () => { command({ type: 'newMachine' }) } },
    { label: 'Quit Ringside', click: quit },
  ]
}

function machineItem(machine: MachineView, command: TrayActions['command'], act: TrayActions['act']): MenuItemConstructorOptions {
  const { id, state, definition } = machine
  const name = asLabel(definition.name)
  return {
    label: state === 'running' ? name : `${name} (${stateInWords(state)})`,
    submenu: [
      { label: 'Show', click: () => { command({ type: 'showMachine', id }) } },
      { type: 'separator' },
      ...machineActions
        .filter((action) => shown(action, machine))
        .map((action) => ({ label: actionLabels[action], enabled: whyRefused(action, machine) === null, click: () => { act(action, machine) } })),
    ],
  }
}

/** Pause and resume take turns; everything else is there, and disabled where it is not legal. */
function shown(action: MachineAction, { state }: MachineView): boolean {
  if (action === 'resume') return state === 'paused'
  return action !== 'pause' || state !== 'paused'
}

/** An ampersand in a label marks the letter after it. */
const asLabel = (name: string): string => name.replaceAll('&', '&&')

function liveByName(machines: readonly MachineView[]): MachineView[] {
  return machines.filter(({ state }) => isLive(state)).sort((a, b) => a.definition.name.localeCompare(b.definition.name))
}

function tooltip(machines: readonly MachineView[]): string {
  const live = liveByName(machines)
  if (live.length === 0) return 'Ringside'
  return live.length === 1 ? `Ringside: ${live[0]?.definition.name ?? ''} is on` : `Ringside: ${String(live.length)} machines are on`
}

export interface TrayDependencies {
  electron: Pick<ElectronApi, 'Menu' | 'Tray'>
  platform: NodeJS.Platform
  icon: NativeImage
  machines: Pick<MachineManager, 'list' | 'onChange'>
  actions: TrayActions
}

/** Puts the icon into the tray and keeps its menu true. */
export function openTray({ electron: { Menu, Tray }, platform, icon, machines, actions }: TrayDependencies): Disposer {
  const tray = new Tray(icon)
  // On macOS a click opens the menu.
  if (platform !== 'darwin') tray.on('click', actions.show)
  let shownAs = ''
  const update = (): void => {
    const all = machines.list()
    // A menu that is replaced while it is open closes, so it is replaced only when it would look different.
    const looks = JSON.stringify(liveByName(all).map(({ id, state, task, definition }) => [id, state, task, definition.name]))
    if (looks === shownAs) return
    shownAs = looks
    tray.setToolTip(tooltip(all))
    tray.setContextMenu(Menu.buildFromTemplate(trayMenu(all, actions)))
  }
  update()
  const stop = machines.onChange(update)
  return () => {
    stop()
    tray.destroy()
  }
}
