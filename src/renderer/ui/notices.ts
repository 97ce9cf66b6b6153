import type { ErrorShape, RingsideError } from '@shared/errors'
import { shallowRef } from 'vue'

export interface Notice {
  id: number
  kind: 'error' | 'done' | 'info'
  title: string
  text?: string
  error?: RingsideError | ErrorShape
  /** What can be done about it. */
  action?: { label: string; run: () => void }
}

let nextId = 1
const notices = shallowRef<Notice[]>([])

/** What the window has to say to the person; `NoticeStack` shows it. Errors stay until dismissed, the rest leaves by itself. */
export function useNotices(): { notices: typeof notices; dismiss: (id: number) => void } {
  return { notices, dismiss }
}

export function notify(notice: Omit<Notice, 'id'>): number {
  const id = nextId++
  notices.value = [...notices.value.slice(-4), { ...notice, id }]
  return id
}

export function notifyError(error: RingsideError | ErrorShape, title?: string): number {
  return notify({ kind: 'error', title: title ?? error.message, error })
}

function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id)
}
