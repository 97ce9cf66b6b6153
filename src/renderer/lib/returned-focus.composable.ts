import { onBeforeUnmount, onMounted } from 'vue'

/** What covers the page for a while. */
const passing = '[role=menu], [role=dialog], [role=alertdialog]'

/** Gives the focus back to where the person was when the last menu or dialog is gone and has left it nowhere, as a dialog does that was opened from an item of a menu. Once for the whole window. */
export function useReturnedFocus(): void {
  let last: HTMLElement | null = null
  function note({ target }: FocusEvent): void {
    if (target instanceof HTMLElement && target.closest(passing) === null) last = target
  }
  function giveBack(): void {
    if (document.activeElement === document.body && document.querySelector(passing) === null && last?.isConnected === true && !last.matches(':disabled')) last.focus()
  }
  const observer = new MutationObserver((records) => {
    const isGone = records.some(({ removedNodes }) => [...removedNodes].some((node) => node instanceof HTMLElement && (node.matches(passing) || node.querySelector(passing) !== null)))
    // After the component library, which tries in a task of its own.
    if (isGone) setTimeout(giveBack)
  })
  onMounted(() => {
    document.addEventListener('focusin', note)
    observer.observe(document.body, { childList: true, subtree: true })
  })
  onBeforeUnmount(() => {
    document.removeEventListener('focusin', note)
    observer.disconnect()
  })
}
