import type { MenuItemConstructorOptions } from 'electron'
import { expect, test, vi } from 'vitest'
import { applicationMenu } from './menu'

const actions = { command: vi.fn(), openLibraryFolder: vi.fn() }
const names = (menu: MenuItemConstructorOptions[]): (string | undefined)[] => menu.map((item) => item.label ?? item.role)
const all = (menu: MenuItemConstructorOptions[]): MenuItemConstructorOptions[] =>
  menu.flatMap((item) => [item, ...(Array.isArray(item.submenu) ? all(item.submenu) : [])])

test('each system gets the menus that it has', () => {
  expect(names(applicationMenu('linux', false, actions))).toEqual(['&File', 'editMenu', '&Machine', '&View', 'help'])
  expect(names(applicationMenu('darwin', false, actions))).toEqual(['appMenu', '&File', 'editMenu', '&Machine', '&View', 'windowMenu', 'help'])
})

test('quitting is in the application’s menu on macOS, and in File elsewhere', () => {
  const roles = (platform: NodeJS.Platform): (string | undefined)[] => all(applicationMenu(platform, false, actions)).map((item) => item.role)
  expect(roles('win32')).toContain('quit')
  expect(roles('darwin')).not.toContain('quit')
})

test('the machine’s menu asks the window for what it is about', () => {
  const items = all(applicationMenu('linux', false, actions))
  for (const [label, type] of [['Take a Snapshot…', 'takeSnapshot'], ['Clone…', 'cloneMachine']] as const) {
    const click = items.find((item) => item.label === label)?.click as (() => void) | undefined
    click?.()
    expect(actions.command).toHaveBeenLastCalledWith({ type })
  }
})

test('developer tools are for development', () => {
  const roles = (development: boolean): (string | undefined)[] => all(applicationMenu('linux', development, actions)).map((item) => item.role)
  expect(roles(true)).toEqual(expect.arrayContaining(['reload', 'toggleDevTools']))
  expect(roles(false)).not.toContain('toggleDevTools')
  expect(roles(false)).not.toContain('reload')
})
