import { type JobKind, ToldFailures } from '@shared/model'
import { onScopeDispose } from 'vue'
import { useRouter } from 'vue-router'
import { notify, notifyError } from '../ui/notices'
import { useJobsStore } from '../stores/jobs.store'
import { useMachinesStore } from '../stores/machines.store'
import { useWindowStore } from '../stores/window.store'

/** Time for a page that waited for a job to go where it leads. */
const settleMs = 800

const storageWork = new Set<JobKind>(['disk.create', 'disk.resize', 'disk.compact', 'disk.check', 'disk.copy', 'disk.checksum', 'disk.move', 'disk.delete'])

/** Tells how long work ended: a failure in full, a new machine with the way to it, and what the person asked for here where they can’t see it by themselves. */
export function useJobOutcomes(): void {
  const jobs = useJobsStore()
  const machines = useMachinesStore()
  const router = useRouter()
  const view = useWindowStore()
  const told = new ToldFailures()
  onScopeDispose(jobs.onEnd((job) => {
    if (!told.isNews(job)) return
    if (job.state === 'failed' && job.error) {
      // The open wizard tells of its own failure, in place.
      if (job.kind === 'machine.create' && view.wizardOpen) return
      // The machine's page of backups tells of it, and offers what to do.
      if (job.kind.startsWith('backup.') && job.machineId !== null && router.currentRoute.value.path === `/machines/${job.machineId}/backups` && machines.get(job.machineId)?.definition.backupPolicy != null) return
      notifyError(job.error, `${job.title}: failed`)
      return
    }
    if (job.state !== 'succeeded') return
    if (job.kind === 'disk.encrypt') {
      // The disk has another file now, beside which nothing would tell what became of the old one.
      if (jobs.isOwn(job.id)) notify({ kind: 'done', title: `${job.title}: done`, text: job.notes.join(' ') })
      return
    }
    if (storageWork.has(job.kind)) {
      // On the page of the images its outcome stands beside the image.
      if (jobs.isOwn(job.id) && router.currentRoute.value.name !== 'storage') notify({ kind: 'done', title: `${job.title}: done`, action: { label: 'Show the images', run: () => void router.push('/storage') } })
      return
    }
    if (job.machineId === null) return
    const id = job.machineId
    const called = (): string => `“${machines.get(id)?.definition.name ?? 'The machine'}”`
    switch (job.kind) {
      case 'machine.create':
      case 'machine.clone':
        // Whoever waited for the machine goes to it now; only those who did not are told.
        setTimeout(() => {
          if (router.currentRoute.value.params['id'] === id) return
          notify({ kind: 'done', title: `${called()} is ready`, action: { label: 'Show it', run: () => void router.push(`/machines/${id}/${job.kind === 'machine.create' ? 'console' : 'overview'}`) } })
        }, settleMs)
        return
      case 'snapshot.take':
      case 'snapshot.revert': {
        const { path } = router.currentRoute.value
        if (!jobs.isOwn(job.id) || path === `/machines/${id}/snapshots`) return
        notify({ kind: 'done', title: job.kind === 'snapshot.take' ? `A snapshot of ${called()} was taken` : `${called()} was reverted`, action: { label: 'Show the snapshots', run: () => void router.push(`/machines/${id}/snapshots`) } })
        return
      }
      case 'backup.create':
      case 'backup.verify':
      case 'backup.delete':
        if (!jobs.isOwn(job.id) || router.currentRoute.value.path === `/machines/${id}/backups`) return
        notify({ kind: 'done', title: `${job.title}: done`, action: { label: 'Show the backups', run: () => void router.push(`/machines/${id}/backups`) } })
        return
      case 'backup.restore':
        if (jobs.isOwn(job.id)) notify({ kind: 'done', title: `${called()} is restored`, action: { label: 'Show it', run: () => void router.push(`/machines/${id}/overview`) } })
        return
      case 'machine.template':
      case 'disk.convert':
        if (!jobs.isOwn(job.id)) return
        notify({ kind: 'done', title: job.kind === 'disk.convert' ? `${job.title}: done` : `${called()} is a template` })
        return
      case 'guest.copyIn':
      case 'guest.copyOut':
        if (jobs.isOwn(job.id)) notify({ kind: 'done', title: job.notes[0] ?? `${job.title}: done`, ...(job.notes.length > 1 ? { text: job.notes.slice(1).join(' ') } : {}) })
        return
      case 'disk.remove':
        // What became of its file is nowhere to be seen.
        if (jobs.isOwn(job.id) && job.notes.length > 0) notify({ kind: 'info', title: `${job.title}: done`, text: job.notes.join(' ') })
        return
      case 'machine.save':
      case 'machine.delete':
      case 'disk.import':
      case 'disk.add':
      case 'disk.create':
      case 'disk.resize':
      case 'disk.compact':
      case 'disk.check':
      case 'disk.copy':
      case 'disk.checksum':
      case 'disk.move':
      case 'disk.delete':
      case 'snapshot.delete':
      case 'snapshot.cleanUp':
        return
    }
  }))
}
