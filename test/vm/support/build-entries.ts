import { resolve } from 'node:path'
import { build } from 'vite'
import { alias } from '../../../build.config'

const root = resolve(import.meta.dirname, '../../..')

/**
 * Builds entries as they are in the tree now, some seconds before the whole application could be. Everything is bundled, so that they
 * run from anywhere.
 * @param entries source file, from the project's folder, by the name it gets in `folder`
 */
export async function buildEntries(folder: string, entries: Record<string, string>): Promise<void> {
  await build({
    configFile: false,
    root,
    logLevel: 'error',
    resolve: { alias },
    ssr: { noExternal: true },
    build: {
      ssr: true,
      outDir: folder,
      minify: false,
      target: 'node22',
      rolldownOptions: {
        input: Object.fromEntries(Object.entries(entries).map(([name, path]) => [name, resolve(root, path)])),
        output: { format: 'es', entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].mjs' },
      },
    },
  })
}
