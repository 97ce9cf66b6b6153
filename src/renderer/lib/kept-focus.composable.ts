import { onBeforeUnmount, onMounted, type Ref } from 'vue'

/**
 * Keeps the keyboard within a part of the page: when what had the focus there is gone or can't be used any more, as a button that did its work, `goOn` puts it elsewhere. The browser would leave it nowhere, and
 * the next Tab would begin at the top of the page.
 * @param goOn is given what had the focus, and the elements that were around it, from the inside out
 */
export function useKeptFocus(root: Readonly<Ref<HTMLElement | null>>, goOn: (lost: HTMLElement, around: readonly HTMLElement[]) => void): void {
  let last: HTMLElement | null = null
  let around: HTMLElement[] = []
  function note({ target }: FocusEvent): void {
    if (!(target instanceof HTMLElement)) return
    last = target
    around = []
    for (let above = target.parentElement; above !== null && above !== root.value; above = above.parentElement) around.push(above)
  }
  function check(): void {
    if (last === null || document.activeElement !== document.body || (last.isConnected && !last.matches(':disabled'))) return
    const lost = last
    last = null
    goOn(lost, around)
  }
  const observer = new MutationObserver(check)
  onMounted(() => {
    root.value?.addEventListener('focusin', note)
    // All of the page: what a dialog gives the focus back to may be gone by then.
    observer.observe(document.body, { childList: true, subtree: true, attributeFilter: ['disabled'] })
  })
  onBeforeUnmount(() => { observer.disconnect() })
}
