import { defineAsyncComponent, type Component } from 'vue'

/** A component that is loaded when it is first shown. */
export function lazily(load: () => Promise<unknown>): Component {
  return defineAsyncComponent(load as () => Promise<Component>)
}
