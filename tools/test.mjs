#!/usr/bin/env node
// @ts-check
// `npm test`: sets up what is missing, then every check and test, cheapest first. The last line is "N passed, N failed".
// `npm test -- NAME…` runs only the named stages; `--fail-fast` stops after the first one that fails.
import { ensureNodeModules } from './setup/node-modules.mjs'
import { ensureSystemPackages } from './setup/system-packages.mjs'
import { inWords, lastLine, nothing, plus } from './test/tally.mjs'

/** All of it is meant to be done within 20 minutes on two processors that have nothing else to do. */
const goalMs = 20 * 60_000
/** What hangs is ended, with the last line; a busy computer is no failure. */
const limitMs = 86 * 60_000
const startedAt = performance.now()
const left = () => limitMs - (performance.now() - startedAt)
const seconds = (/** @type {number} */ since) => `${((performance.now() - since) / 1000).toFixed(1)} s`

async function test() {
  const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
  const failFast = process.argv.includes('--fail-fast')
  await ensureNodeModules(console.log)
  // Resolves packages of node_modules, so only after they are there.
  const { stages } = await import('./test/stages.mjs')
  const all = stages()
  const unknown = names.filter((name) => !all.some((stage) => stage.name === name))
  if (unknown.length > 0) throw new Error(`No such stage: ${unknown.join(', ')}. There are: ${all.map((stage) => stage.name).join(', ')}.`)
  const chosen = all.filter((stage) => names.length === 0 || names.includes(stage.name))
  const missing = await ensureSystemPackages([...new Set(chosen.flatMap((stage) => stage.needs))], console.log)

  let total = nothing
  /** @type {string[]} */
  const notes = []
  for (const stage of chosen) {
    const since = performance.now()
    console.log(`\n── ${stage.name}: ${stage.what}`)
    const result = await runStage(stage, stage.needs.filter((need) => missing.includes(need)).map((need) => need.name))
    console.log(`── ${stage.name}: ${inWords(result.tally)} in ${seconds(since)}`)
    for (const note of result.notes) {
      console.log(note)
      notes.push(`${stage.name}: ${note}`)
    }
    total = plus(total, result.tally)
    if (result.tally.skipped > 0) notes.push(`${stage.name}: ${result.tally.skipped} tests were skipped; some need root, or another system.`)
    const pointless = stage.name === 'build' && result.tally.failed > 0
    if (pointless || (failFast && result.tally.failed > 0)) break
  }
  if (performance.now() - startedAt > goalMs) notes.push(`It took more than ${goalMs / 60_000} minutes: either the computer is busy, or a test has grown too long.`)
  console.log(`\nDone in ${seconds(startedAt)}.${notes.length > 0 ? `\n${notes.map((note) => `! ${note}`).join('\n')}` : ''}`)
  return total
}

/**
 * @param {import('./test/stages.mjs').Stage} stage
 * @param {string[]} missing
 * @returns {Promise<import('./test/stages.mjs').StageResult>}
 */
async function runStage(stage, missing) {
  const failed = (/** @type {string} */ note) => ({ tally: { ...nothing, failed: 1 }, notes: [note] })
  if (missing.length > 0) return failed(`Not run: ${missing.join(', ')} could not be found (see the top).`)
  if (left() < 1000) return failed('Not run: the time for the whole run was used up.')
  return stage.run(Math.min(stage.limitMs, left()))
}

try {
  const total = await test()
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0
  console.log(lastLine(total))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  console.log(lastLine({ ...nothing, failed: 1 }))
  process.exitCode = 1
}
