import type { MenuCommand } from '@shared/contract'
import { isLive } from '@shared/model'
import { onScopeDispose } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { useAppActions } from '../actions/app-actions'
import { useMachineActions } from '../actions/machine-actions'
import { notify } from '../actions/notify'
import { useShortcuts } from '../lib/shortcuts.composable'
import { useTheme } from '../lib/theme.composable'
import { useMachinesStore } from '../stores/machines.store'
import { useWindowStore } from '../stores/window.store'

/** Keys of the whole window, and what the desktop shell's menu and tray ask of it. */
export function useAppCommands(): void {
  const router = useRouter()
  const route = useRoute()
  const machines = useMachinesStore()
  const view = useWindowStore()
  const theme = useTheme()
  const app = useAppActions()
  const selected = () => {
    const { id } = route.params
    return typeof id === 'string' ? machines.get(id) : undefined
  }
  const actions = useMachineActions(selected)
  const tab = (name: string) => (): void => {
    const machine = selected()
    if (machine) void router.push(`/machines/${machine.id}/${name}`)
  }

  /** A key has no button that could say why nothing happens. */
  const takeSnapshot = (): void => {
    const why = selected() ? actions.takeSnapshot.whyNot.value : null
    if (why === null) void actions.takeSnapshot.run()
    else notify({ kind: 'info', title: why })
  }

  useShortcuts({
    'mod+k': () => { view.paletteOpen = !view.paletteOpen },
    'n': () => void app.newMachine.run(),
    'mod+j': () => { view.jobsOpen = !view.jobsOpen },
    'mod+,': () => void router.push('/computer'),
    '?': () => { view.shortcutsOpen = true },
    'alt+1': tab('overview'),
    'alt+2': tab('console'),
    'alt+3': tab('snapshots'),
    'alt+4': tab('hardware'),
    'alt+5': tab('backups'),
    'mod+shift+s': takeSnapshot,
    'mod+Enter': () => void (selected()?.state === 'paused' ? actions.resume : actions.start).run(),
    'mod+shift+p': () => void (selected()?.state === 'paused' ? actions.resume : actions.pause).run(),
    'F2': () => {
      const machine = selected()
      if (machine && actions.rename.whyNot.value === null) view.renaming = { id: machine.id, where: 'header' }
    },
  })

  function obey(command: MenuCommand): void {
    switch (command.type) {
      case 'newMachine': void app.newMachine.run(); return
      case 'createSample': void app.createSample.run(); return
      case 'showComputer': void router.push('/computer'); return
      case 'showMachine': {
        const machine = machines.get(command.id)
        void router.push(`/machines/${command.id}/${machine && isLive(machine.state) ? 'console' : 'overview'}`)
        return
      }
      case 'takeSnapshot': takeSnapshot(); return
      case 'cloneMachine': void actions.clone.run(); return
      case 'toggleDark': theme.toggle(); return
    }
  }
  const stop = window.ringside?.onCommand(obey)
  if (stop) onScopeDispose(stop)
}
