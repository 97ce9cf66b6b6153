import { useLocalStorage } from '@vueuse/core'
import { computed, ref, type ComputedRef, type Ref } from 'vue'
import { copyText } from '../../lib/clipboard'

export interface SharedClipboard {
  /** What a person chose; kept for all machines. */
  on: Ref<boolean>
  /** What there is to say about it, a sentence. */
  state: ComputedRef<string>
  /** Text that the guest has copied. */
  fromGuest(text: string): Promise<void>
  /** To be called when the guest gets the keyboard: passes what was copied outside since. */
  toGuest(): Promise<void>
}

async function readText(): Promise<string | null> {
  try {
    if (window.ringside) return await window.ringside.readClipboardText()
    return await navigator.clipboard.readText()
  } catch {
    return null
  }
}

/**
 * Text clipboard in both directions. In a browser it is off until asked for, because reading the clipboard wants the person's leave.
 * @param channel whether the running machine has the channel that spice-vdagent in the guest talks over
 */
export function useSharedClipboard(channel: () => boolean, send: (text: string) => void): SharedClipboard {
  const on = useLocalStorage('ringside.sharedClipboard', window.ringside !== undefined)
  const answered = ref(false)
  const refused = ref(false)
  /** What both sides know already; it is not sent back where it came from. */
  let shared: string | null = null

  const state = computed(() => {
    if (!channel()) return 'This machine has no clipboard channel.'
    if (!on.value) return 'The clipboard is not shared with this machine.'
    if (refused.value) return 'The browser did not allow reading the clipboard; text from the guest still arrives.'
    return answered.value ? 'Text is shared in both directions.' : 'Waiting for spice-vdagent in the guest; text is shared once it runs.'
  })

  async function fromGuest(text: string): Promise<void> {
    answered.value = true
    if (!on.value || text === shared) return
    shared = text
    await copyText(text)
  }

  async function toGuest(): Promise<void> {
    if (!on.value || !channel()) return
    const text = await readText()
    refused.value = text === null
    if (text === null || text === '' || text === shared) return
    shared = text
    send(text)
  }

  return { on, state, fromGuest, toGuest }
}
