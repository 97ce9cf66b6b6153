import { enableAutoUnmount, mount } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { defineComponent } from 'vue'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'
import { useJobsStore } from '../stores/jobs.store'
import { useMachinesStore } from '../stores/machines.store'
import { aJob, aMachine } from '../stores/spec-data'
import { useNotices } from '../ui/notices'
import { useJobOutcomes } from './job-outcomes'

enableAutoUnmount(afterEach)

const machine = aMachine(1, 'stopped', { backupPolicy: { folder: '/backups', folderId: null, every: null, keep: { hourly: 0, daily: 7, weekly: 4 }, compress: true, quiesce: true, verify: false } })
let router: Router

beforeEach(() => {
  setActivePinia(createPinia())
  useMachinesStore().put(machine)
  router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/:any(.*)*', component: { render: () => null } }] })
  mount(defineComponent({ setup: () => { useJobOutcomes() }, render: () => null }), { global: { plugins: [router] } })
})
afterEach(() => {
  const { notices, dismiss } = useNotices()
  for (const { id } of notices.value) dismiss(id)
})

function failBackup(): void {
  const job = aJob(1, { kind: 'backup.create', title: 'Backing up “a”', machineId: machine.id })
  useJobsStore().put(job)
  useJobsStore().put({ ...job, state: 'failed', error: { code: 'DISK_FULL', message: 'Full.', data: {} } })
}

test('a backup that failed is told where nothing else tells it', async () => {
  await router.push('/storage')
  failBackup()
  expect(useNotices().notices.value).toMatchObject([{ kind: 'error', title: 'Backing up “a”: failed' }])
})

test('and not twice where the machine’s backups are looked at', async () => {
  await router.push(`/machines/${machine.id}/backups`)
  failBackup()
  expect(useNotices().notices.value).toEqual([])
})
