import type { HostDevices } from '@shared/model'
import { onMounted, onUnmounted, shallowRef, type ShallowRef } from 'vue'
import type { RingsideError } from '@shared/errors'
import { useClient } from '../../transport/client'
import { toRingsideError } from '../../transport/errors'

const everyMs = 3_000

/** What is plugged into the computer that runs Ringside, looked at anew every few seconds while somebody sees it. */
export function useHostDevices(): { devices: ShallowRef<HostDevices | null>; error: ShallowRef<RingsideError | null>; look: () => Promise<void> } {
  const devices = shallowRef<HostDevices | null>(null)
  const error = shallowRef<RingsideError | null>(null)
  let timer: ReturnType<typeof setTimeout> | undefined
  let left = false
  async function look(): Promise<void> {
    clearTimeout(timer)
    try {
      devices.value = await useClient().host.devices()
      error.value = null
    } catch (thrown) {
      error.value = toRingsideError(thrown)
    }
    if (!left) timer = setTimeout(() => { void look() }, everyMs)
  }
  onMounted(() => { void look() })
  onUnmounted(() => {
    left = true
    clearTimeout(timer)
  })
  return { devices, error, look }
}
