import { resolve } from 'node:path'
import type { NuxtUIOptions } from '@nuxt/ui/unplugin'

const at = (path: string): string => resolve(import.meta.dirname, path)

/** Import aliases, one for each layer that others may import (see docs/architecture.md). */
export const alias = { '@shared': at('src/shared'), '@core': at('src/core'), '@server': at('src/server'), '@renderer': at('src/renderer') }

/** Options of the component library, shared by the build, the development server and the tests. */
export const uiOptions: NuxtUIOptions = {
  root: at('.'),
  router: true,
  dts: true,
  autoImport: { dts: at('src/renderer/auto-imports.d.ts') },
  components: { dts: at('src/renderer/components.d.ts') },
  icon: { clientBundle: { scan: { globInclude: ['src/renderer/**/*.{vue,ts}'] } } },
  ui: { colors: { primary: 'sky', neutral: 'zinc' } },
}
