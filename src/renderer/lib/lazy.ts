import { defineAsyncComponent, type Component } from 'vue'

/** A component that is loaded when it is first shown. `failed`: what is shown in its place when it can’t be loaded. */
export function lazily(load: () => Promise<unknown>, failed?: unknown): Component {
  return defineAsyncComponent({ loader: load as () => Promise<Component>, ...(failed === undefined ? {} : { errorComponent: failed as Component }) })
}
