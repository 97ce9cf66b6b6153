import { contractVersion, type HostEvent } from '@shared/contract'
import { connection } from '../transport/connection'
import { useClient } from '../transport/client'
import { keepSubscribed } from '../transport/subscription'
import { useHostStore } from './host.store'
import { useJobsStore } from './jobs.store'
import { useMachinesStore } from './machines.store'
import { useMetricsStore } from './metrics.store'
import { useSnapshotsStore } from './snapshots.store'
import { useThumbnailsStore } from './thumbnails.store'

/** Feeds the stores with what the host tells, for as long as the window lives. Returns what stops it. */
export function watchHost(): () => void {
  return keepSubscribed<HostEvent>((signal) => useClient().host.watch(undefined, { signal }), takeHostEvent)
}

/** Puts one event of the host where it belongs. */
export function takeHostEvent(event: HostEvent): void {
  const machines = useMachinesStore()
  const jobs = useJobsStore()
  const host = useHostStore()
  switch (event.type) {
    case 'opened':
      if (event.contractVersion !== contractVersion) {
        connection.reportVersion(event.contractVersion, contractVersion)
        return
      }
      machines.replaceAll(event.machines, event.problems)
      jobs.replaceAll(event.jobs)
      useSnapshotsStore().reloadAll()
      void host.load()
      return
    case 'machineChanged':
      // A new run begins with empty graphs.
      if (event.machine.state === 'starting' && machines.get(event.machine.id)?.state !== 'starting') useMetricsStore().forget(event.machine.id)
      machines.put(event.machine)
      return
    case 'machineRemoved':
      machines.remove(event.id)
      useMetricsStore().forget(event.id)
      useThumbnailsStore().forget(event.id)
      return
    case 'snapshotsChanged':
      useSnapshotsStore().reload(event.id)
      return
    case 'problemsChanged':
      machines.setProblems(event.problems)
      return
    case 'jobChanged':
      jobs.put(event.job)
      return
    case 'jobRemoved':
      jobs.remove(event.id)
      return
    case 'probeChanged':
      host.probe = event.report
      return
    case 'settingsChanged':
      host.settings = event.settings
      return
  }
}
