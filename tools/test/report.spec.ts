import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandScript, readJson, root, toolchainNode } from '../setup/project.mjs'
import { run } from '../setup/run.mjs'
import { failedFiles, tallyOfReport, type Report } from './tally.mjs'

test('vitest’s report holds what failed outside every test: an error that nobody waited for, and a file that can’t be loaded', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-report-'))
  try {
    await writeFile(join(folder, 'failing.spec.js'), "test('fails', () => { throw new Error('wrong') })")
    await writeFile(join(folder, 'stray.spec.js'), "test('passes', async () => { void Promise.reject(new Error('stray')); await new Promise((done) => setImmediate(done)) })")
    await writeFile(join(folder, 'unloadable.spec.js'), "import './missing.js'")
    const path = join(folder, 'report.json')
    const { code, output } = await run(toolchainNode(), [
      commandScript('vitest'), 'run', '--root', folder, '--globals', `--reporter=${join(root, 'tools/test/report.mjs')}`, `--outputFile.json=${path}`,
    ])
    const report = readJson(path) as Report
    expect(report.unhandledErrors, output).toEqual(['Error: stray'])
    expect(failedFiles(report)).toEqual([join(folder, 'failing.spec.js')])
    expect(tallyOfReport(report, code)).toEqual({
      tally: { passed: 1, failed: 3, skipped: 0 },
      notes: [expect.stringMatching(/^Failed: .*failing\.spec\.js: fails\n {4}Error: wrong/u) as string, expect.stringMatching(/unloadable\.spec\.js failed outside its tests: .*missing/u) as string, 'An error outside every test: Error: stray'],
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
