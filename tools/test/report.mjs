// @ts-check
import { readFileSync, writeFileSync } from 'node:fs'
import { JsonReporter } from 'vitest/node'

/** vitest's JSON reporter, which says nothing of errors outside every test; this one adds them as `unhandledErrors`. It writes where `--outputFile.json` says. */
export default class Report extends JsonReporter {
  /** @type {string} */
  #path = ''

  /** @override @param {import('vitest/node').Vitest} vitest */
  onInit(vitest) {
    super.onInit(vitest)
    const { outputFile } = vitest.config
    this.#path = (typeof outputFile === 'string' ? outputFile : outputFile?.json) ?? ''
  }

  /**
   * @override
   * @param {Parameters<JsonReporter['onTestRunEnd']>[0]} testModules
   * @param {readonly { name?: string, message?: string }[]} [unhandledErrors]
   */
  async onTestRunEnd(testModules, unhandledErrors = []) {
    await super.onTestRunEnd(testModules)
    const report = JSON.parse(readFileSync(this.#path, 'utf8'))
    writeFileSync(this.#path, JSON.stringify({ ...report, unhandledErrors: unhandledErrors.map(({ name = 'Error', message = '' }) => `${name}: ${message}`) }))
  }
}
