import { onScopeDispose, ref, type Ref } from 'vue'
import { z } from 'zod'
import { reviveError, RingsideError } from '@shared/errors'

const Answer = z.object({ path: z.string() })

export interface Upload {
  /** What is under way; null when nothing is. */
  now: Readonly<Ref<{ name: string; sent: number; total: number } | null>>
  /** Resolves to the file's path on the host. Rejects with a `RingsideError`; `CANCELLED` after `cancel`. */
  send(file: File): Promise<string>
  cancel(): void
}

/** Brings a file from the browser's computer to the host's. Ends with the component. */
export function useUpload(): Upload {
  const now = ref<{ name: string; sent: number; total: number } | null>(null)
  let request: XMLHttpRequest | null = null

  // XMLHttpRequest, because fetch does not tell how much of a body has been sent.
  function send(file: File): Promise<string> {
    cancel()
    return new Promise((resolve, reject) => {
      const mine = new XMLHttpRequest()
      request = mine
      now.value = { name: file.name, sent: 0, total: file.size }
      const settle = (): void => {
        if (request !== mine) return
        request = null
        now.value = null
      }
      mine.upload.onprogress = (event) => { if (request === mine) now.value = { name: file.name, sent: event.loaded, total: file.size } }
      mine.onload = () => {
        settle()
        const body = parse(mine.responseText)
        const answer = Answer.safeParse(body)
        if (mine.status < 300 && answer.success) resolve(answer.data.path)
        else reject(reviveError(body))
      }
      mine.onerror = () => {
        settle()
        reject(new RingsideError('PROTOCOL', `“${file.name}” did not reach the host.`, { hint: 'See whether the host is still there, then drop the file again.' }))
      }
      mine.onabort = () => {
        settle()
        reject(new RingsideError('CANCELLED', 'The upload was cancelled.'))
      }
      mine.open('PUT', `/upload?name=${encodeURIComponent(file.name)}`)
      mine.send(file)
    })
  }

  function cancel(): void {
    request?.abort()
  }
  onScopeDispose(cancel)
  return { now, send, cancel }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return { code: 'INTERNAL', message: 'The host gave no answer that could be read.', data: {} }
  }
}
