// @ts-check
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { build, isBuilt } from '../setup/build.mjs'
import { commandScript, readJson, toolchainNode } from '../setup/project.mjs'
import { run } from '../setup/run.mjs'
import { chromium, findChromium, firmware, qemu, tpm, virtiofs } from '../setup/system-packages.mjs'
import { failedFiles, failedTests, tallyOfReport, withSecondRun } from './tally.mjs'

/** @typedef {import('./tally.mjs').Tally} Tally */
/** @typedef {{ tally: Tally, notes: string[] }} StageResult */
/**
 * @typedef {object} Stage
 * @property {string} name
 * @property {string} what a few words
 * @property {number} limitMs
 * @property {import('../setup/system-packages.mjs').Need[]} needs of the system
 * @property {(limitMs: number) => Promise<StageResult>} run
 */

const minute = 60_000
const outcomeOf = (/** @type {boolean} */ passed, /** @type {string[]} */ notes) => ({ tally: { passed: passed ? 1 : 0, failed: passed ? 0 : 1, skipped: 0 }, notes })

/** @typedef {{ name: string, script: string, args: string[] }} Tool */

/**
 * Tools that pass or fail as a whole, at the same time; the output of one that fails is shown.
 * @param {string} name
 * @param {string} what
 * @param {Tool[]} tools
 * @returns {Stage}
 */
const checks = (name, what, tools) => ({
  name, what, limitMs: 10 * minute, needs: [],
  run: async (limitMs) => {
    const ended = await Promise.all(tools.map(async (tool) => ({ tool, ...await run(toolchainNode(), [tool.script, ...tool.args], { timeoutMs: limitMs }) })))
    const failed = ended.filter(({ code }) => code !== 0)
    for (const { output } of failed) console.log(output.trimEnd())
    return {
      tally: { passed: ended.length - failed.length, failed: failed.length, skipped: 0 },
      notes: failed.map(({ tool, timedOut }) => (timedOut ? `${tool.name} took longer than ${limitMs / 1000} s and was ended.` : `${tool.name} found faults, see above.`)),
    }
  },
})

/** By its path from the project's folder, which vitest runs in. */
const reporter = './tools/test/report.mjs'

/** More files than this that fail are broken, not hindered by a busy computer. */
const fewFiles = 3

/**
 * One project of vitest.config.ts. A few files in which tests failed beside others are run once more by themselves, and what comes of that counts; notes tell of it, and of what failed the first time. What failed outside every
 * test counts as it is.
 * @param {string} name
 * @param {string} what
 * @param {number} limitMs
 * @param {{ needs?: Stage['needs'], width?: number }} [options] `width`: so many test files at a time, instead of one for each processor
 * @returns {Stage}
 */
const project = (name, what, limitMs, { needs = [], width = availableParallelism() } = {}) => ({
  name, what, limitMs, needs,
  run: async (limit) => {
    const endsAt = performance.now() + limit
    const folder = mkdtempSync(join(tmpdir(), 'ringside-test-'))
    /** @param {string} file @param {number} workers @param {string[]} filters */
    const vitest = async (file, workers, filters) => {
      const path = join(folder, file)
      const args = ['run', ...filters, '--project', name, '--reporter=default', `--reporter=${reporter}`, `--outputFile.json=${path}`, `--maxWorkers=${workers}`]
      const ended = await run(toolchainNode(), [commandScript('vitest'), ...args], {
        show: true, timeoutMs: endsAt - performance.now(), env: { ...process.env, RINGSIDE_CHROMIUM: findChromium() ?? undefined },
      })
      return { ...ended, report: readJson(path) }
    }
    try {
      const first = await vitest('report.json', width, [])
      const failed = failedFiles(first.report).map((path) => relative(process.cwd(), path))
      if (!first.timedOut && failed.length > 0 && failed.length <= fewFiles) {
        console.log(`── ${name}: once more, by themselves: ${failed.join(', ')}`)
        const second = await vitest('again.json', 1, failed)
        const result = tallyOfReport(withSecondRun(first.report, second.report), second.code)
        // Those that failed again are among its notes already.
        const passedSince = failedTests(first.report).filter((note) => !result.notes.includes(note))
        result.notes.push(`Failed beside others, and ${second.code === 0 ? 'passed' : 'were run again'} by themselves: ${failed.join(', ')}.`, ...passedSince.map((note) => `The first time: ${note}`))
        return result
      }
      const result = tallyOfReport(first.report, first.code)
      if (first.timedOut) result.notes.push(`The ${name} tests took longer than ${Math.round(limit / 1000)} s and were ended.`)
      return result
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
})

/** In this order, so that a fault shows as early as it can: what takes seconds first, real guests last. */
export const stages = /** @returns {Stage[]} */ () => [
  {
    name: 'build', what: 'main, workers, server, CLI, preload and renderer', limitMs: 10 * minute, needs: [],
    run: async () => {
      if (isBuilt()) return outcomeOf(true, [])
      try {
        await build()
        return outcomeOf(true, [])
      } catch (error) {
        return outcomeOf(false, [error instanceof Error ? error.message : String(error)])
      }
    },
  },
  checks('checks', 'types, the rules of layers, cycles and dead files, and the style', [
    { name: 'typecheck', script: commandScript('vue-tsc'), args: ['--build'] },
    { name: 'deps', script: commandScript('dependency-cruiser', 'depcruise'), args: ['--config', '.dependency-cruiser.cjs', 'src', 'bin'] },
    { name: 'lint', script: commandScript('eslint'), args: ['.', '--max-warnings=0'] },
  ]),
  project('unit', 'each part by itself', 8 * minute),
  project('renderer', 'components and stores', 8 * minute),
  project('contract', 'the contract over both transports', 8 * minute),
  project('shell', 'the Electron shell and the packaging', 8 * minute, { needs: [chromium] }),
  // Much of a test with guests is waiting for processes and drives.
  project('vm', 'real guests on QEMU', 70 * minute, { needs: [qemu, firmware, tpm, virtiofs], width: 3 }),
  project('e2e', 'the real window in Chromium', 15 * minute, { needs: [qemu, firmware, chromium], width: 2 }),
]
