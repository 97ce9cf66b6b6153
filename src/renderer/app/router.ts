import { lazily } from '../lib/lazy'
import { createRouter, createWebHashHistory, type Router } from 'vue-router'

/** Tabs of a machine, as they are named in the address. */
export const machineTabs = ['overview', 'console', 'snapshots', 'hardware', 'backups'] as const
export type MachineTab = (typeof machineTabs)[number]

// Handed to the machine's page by the router: features never import each other.
const consoleTab = lazily(() => import('../features/console/ConsoleTab.vue'))
const snapshotsTab = lazily(() => import('../features/snapshots/SnapshotsTab.vue'))
const hardwareTab = lazily(() => import('../features/hardware/HardwareTab.vue'))
const backupsTab = lazily(() => import('../features/backups/BackupsTab.vue'))

/** Hash history: the page is served from a file in the desktop shell and from any path in a browser. */
export function createAppRouter(history = createWebHashHistory()): Router {
  return createRouter({
    history,
    routes: [
      { path: '/', name: 'home', component: () => import('../features/home/HomePage.vue') },
      { path: '/machines/:id', redirect: (to) => `${to.path}/overview` },
      { path: `/machines/:id/:tab(${machineTabs.join('|')})`, name: 'machine', component: () => import('../features/machine/MachinePage.vue'), props: () => ({ consoleTab, snapshotsTab, hardwareTab, backupsTab }) },
      { path: '/problems/:folder', name: 'problem', component: () => import('../features/machine/ProblemPage.vue') },
      { path: '/storage', name: 'storage', component: () => import('../features/storage/StoragePage.vue') },
      { path: '/computer', name: 'computer', component: () => import('../features/computer/ComputerPage.vue') },
      { path: '/:unknown(.*)*', redirect: '/' },
    ],
  })
}
