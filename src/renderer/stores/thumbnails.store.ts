import type { ThumbnailEvent } from '@shared/contract'
import { defineStore } from 'pinia'
import { onScopeDispose, shallowReactive } from 'vue'
import { useClient } from '../transport/client'
import { countedUse } from '../transport/counted-use'
import { keepSubscribed } from '../transport/subscription'

/** A machine's screen in small. */
export interface Thumbnail {
  /** A `data:` address of a PNG. */
  url: string
  /** False once the display is off or the machine stopped: it is the last that was seen. */
  live: boolean
}

/** Small pictures of the machines' screens. The host takes them only while somebody watches. */
export const useThumbnailsStore = defineStore('thumbnails', () => {
  const byId = shallowReactive(new Map<string, Thumbnail>())

  function take(event: ThumbnailEvent): void {
    if (event.pngBase64 !== null) {
      byId.set(event.id, { url: `data:image/png;base64,${event.pngBase64}`, live: true })
      return
    }
    const last = byId.get(event.id)
    if (last?.live) byId.set(event.id, { url: last.url, live: false })
  }
  function get(id: string): Thumbnail | undefined {
    return byId.get(id)
  }
  function forget(id: string): void {
    byId.delete(id)
  }
  /** Counts one user in; the returned function counts it out, once. */
  const use = countedUse(() => keepSubscribed<ThumbnailEvent>((signal) => useClient().thumbnail.watch(undefined, { signal }), take))
  return { get, take, forget, use }
})

/** Watches the pictures for as long as the calling component or scope lives. */
export function useThumbnails(): ReturnType<typeof useThumbnailsStore> {
  const store = useThumbnailsStore()
  onScopeDispose(store.use())
  return store
}
