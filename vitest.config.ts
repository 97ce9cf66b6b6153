import ui from '@nuxt/ui/vite'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { alias, uiOptions } from './build.config.ts'

/** Nothing waits that long by itself: limits end what hangs, also on a computer that others keep busy. */
const patience = { testTimeout: 30_000, hookTimeout: 60_000, setupFiles: ['test/patience.ts'], expect: { poll: { timeout: 20_000 } } }

const node = (name: string, include: string[], limits: { testTimeout?: number; globalSetup?: string[]; retry?: number } = {}): object => ({
  resolve: { alias },
  test: { name, environment: 'node', include, ...patience, ...limits },
})

/** Guests run under software emulation on shared machines: generous limits. */
const guests = { testTimeout: 400_000, hookTimeout: 400_000, globalSetup: ['test/probe-once.ts'] }

/** Files that take minutes come first, so that none is left alone at the end; vitest would begin with the largest. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): boolean => /\/(?:fault-(?!save)|full-disk-)[a-z-]+\.spec\.ts$/u.test(moduleId)
    return (await super.sort(files)).toSorted((a, b) => Number(isLong(b)) - Number(isLong(a)))
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      node('unit', ['src/{shared,core,worker,server,cli,main,preload}/**/*.spec.ts', 'tools/**/*.spec.ts']),
      {
        resolve: { alias },
        plugins: [vue(), ui({ ...uiOptions, dts: false })],
        test: { name: 'renderer', environment: 'happy-dom', include: ['src/renderer/**/*.spec.ts'], ...patience },
      },
      node('contract', ['test/contract/**/*.spec.ts']),
      node('shell', ['test/shell/**/*.spec.ts']),
      node('vm', ['test/vm/**/*.spec.ts'], guests),
      // A person would try once more too, on a computer that is busy: what is broken fails twice.
      node('e2e', ['test/e2e/**/*.spec.ts'], { ...guests, retry: 1 }),
      node('bench', ['test/bench/**/*.spec.ts'], { ...guests, testTimeout: 600_000 }),
      node('screenshots', ['test/screenshots/**/*.spec.ts'], { ...guests, testTimeout: 600_000 }),
    ],
  },
})
