import type { RingsideError } from '@shared/errors'
import type { BackupFolder } from '@shared/model'
import { useIntervalFn } from '@vueuse/core'
import { onScopeDispose, shallowReadonly, shallowRef, watch, type ShallowRef } from 'vue'
import { useJobsStore } from '../../stores/jobs.store'
import { useMachinesStore } from '../../stores/machines.store'
import { useClient } from '../../transport/client'
import { toRingsideError } from '../../transport/errors'

/** A drive comes and goes without a word. */
const lookMs = 15_000

export interface BackupsView {
  /** What lies in the machine's folder for backups; null before the first answer, and where nobody has said where that is. */
  readonly found: Readonly<ShallowRef<BackupFolder | null>>
  readonly error: Readonly<ShallowRef<RingsideError | null>>
  readonly reload: () => Promise<void>
}

/** Looks at a machine's backups for as long as the calling component lives, again whenever a job or the machine's policy may have changed them. */
export function useBackups(machineId: () => string): BackupsView {
  const machines = useMachinesStore()
  const jobs = useJobsStore()
  const found = shallowRef<BackupFolder | null>(null)
  const error = shallowRef<RingsideError | null>(null)
  let turn = 0

  async function reload(): Promise<void> {
    turn += 1
    const mine = turn
    const folder = machines.get(machineId())?.definition.backupPolicy?.folder ?? null
    try {
      const answer = folder === null ? null : await useClient().backup.list({ id: machineId() })
      if (mine !== turn) return
      found.value = answer
      error.value = null
    } catch (thrown) {
      if (mine === turn) error.value = toRingsideError(thrown)
    }
  }
  watch(() => [machineId(), machines.get(machineId())?.definition.backupPolicy?.folder], () => void reload(), { immediate: true })
  onScopeDispose(jobs.onEnd((job) => { if (job.kind.startsWith('backup.')) void reload() }))
  useIntervalFn(() => void reload(), lookMs)
  return { found: shallowReadonly(found), error: shallowReadonly(error), reload }
}
