import { resolve } from 'node:path'
import ui from '@nuxt/ui/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'electron-vite'
import { alias, uiOptions } from './build.config.ts'

const at = (path: string): string => resolve(import.meta.dirname, path)

export default defineConfig({
  main: {
    resolve: { alias },
    build: {
      rolldownOptions: {
        input: {
          index: at('src/main/index.ts'),
          'machine-worker': at('src/worker/machine.ts'),
          serve: at('src/server/serve.ts'),
          cli: at('src/cli/index.ts'),
        },
      },
    },
  },
  preload: {
    resolve: { alias },
    build: {
      // A sandboxed preload script cannot load modules from disk, and has to be CommonJS.
      externalizeDeps: false,
      rolldownOptions: { input: { index: at('src/preload/index.ts') }, output: { format: 'cjs', entryFileNames: '[name].cjs' } },
    },
  },
  renderer: {
    root: at('src/renderer'),
    resolve: { alias },
    plugins: [vue(), ui(uiOptions)],
    build: { minify: true, rolldownOptions: { input: { index: at('src/renderer/index.html') } } },
  },
})
