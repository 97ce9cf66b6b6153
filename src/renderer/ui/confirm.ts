import { readonly, shallowRef } from 'vue'

/** What a confirmation names: the deed, what is lost by it and what stays. */
export interface ConfirmQuestion {
  title: string
  /** What will happen, a sentence or two. */
  message: string
  /** Everything that is destroyed by it, one a line. */
  destroys?: readonly { text: string; detail?: string }[]
  /** What a person might fear for, and stays. */
  keeps?: readonly { text: string; detail?: string }[]
  confirmLabel: string
  /** Red, and Cancel has the focus. */
  dangerous?: boolean
  /** A further choice, answered in `ConfirmAnswer.checked`. */
  checkbox?: { label: string; initially: boolean; confirmLabel?: string }
}
export interface ConfirmAnswer { confirmed: boolean; checked: boolean }

interface Pending { question: ConfirmQuestion; answer: (answer: ConfirmAnswer) => void }
const pending = shallowRef<Pending | null>(null)

/** The question that waits for an answer; `ConfirmDialog` shows it. */
export const pendingConfirm = readonly(pending)

/** Asks the person. A second question while one is open answers the first with no. */
export function confirm(question: ConfirmQuestion): Promise<ConfirmAnswer> {
  pending.value?.answer({ confirmed: false, checked: false })
  return new Promise((resolve) => {
    pending.value = {
      question,
      answer: (answer) => {
        pending.value = null
        resolve(answer)
      },
    }
  })
}
