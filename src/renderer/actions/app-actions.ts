import { computed } from 'vue'
import { useRouter } from 'vue-router'
import { useConnectionStore } from '../stores/connection.store'
import { useHostStore } from '../stores/host.store'
import { useJobsStore } from '../stores/jobs.store'
import { useWindowStore } from '../stores/window.store'
import { useClient } from '../transport/client'
import { useAction, type Action } from './use-action'

/** What can be done without a machine. */
export interface AppActions { newMachine: Action; createSample: Action; refreshProbe: Action }

export function useAppActions(): AppActions {
  const connection = useConnectionStore()
  const host = useHostStore()
  const jobs = useJobsStore()
  const view = useWindowStore()
  const router = useRouter()

  const whyOffline = computed(() => (connection.isOpen ? null : 'There is no connection to the host.'))
  const whyNoEngine = computed(() => whyOffline.value ?? (host.probe && !host.probe.qemu ? 'No usable QEMU was found on this computer; the page “This computer” says what to do.' : null))

  return {
    newMachine: useAction({
      label: 'New machine…', icon: 'i-lucide-plus', whyNot: whyOffline,
      // eslint-disable-next-line @typescript-eslint/require-await -- an action is a promise, also where it is done at once
      run: async () => { view.wizardOpen = true },
    }),
    createSample: useAction({
      label: 'Create sample machine', icon: 'i-lucide-sparkles', whyNot: whyNoEngine, failure: () => 'The sample machine was not created',
      run: async () => {
        const job = await useClient().machine.createSample({ startWhenCreated: true })
        jobs.put(job)
        const ended = await jobs.ended(job.id)
        if (ended.state === 'succeeded' && ended.machineId !== null) await router.push(`/machines/${ended.machineId}/console`)
      },
    }),
    refreshProbe: useAction({
      label: 'Check again', icon: 'i-lucide-refresh-cw', whyNot: whyOffline, failure: () => 'This computer could not be examined',
      run: async () => {
        await host.loadProbe(true)
        await host.loadInfo()
      },
    }),
  }
}
