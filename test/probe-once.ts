import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { createProbe } from '@core/engine/qemu'
import { Settings } from '@shared/model'

declare module 'vitest' {
  interface ProvidedContext {
    /** A cache of the probe that holds for the QEMU under test; undefined in projects that have no guests. */
    probeFolder: string | undefined
  }
}

/**
 * Asks QEMU once for all the test files of a run what it can, which takes seconds: an accelerator that does not work is waited for. Each library that a test makes begins with the
 * answers, as one does that a host has opened before. What no QEMU can be asked is left to the tests to tell.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'ringside-probe-'))
  using probe = createProbe({ cacheFolder: folder, settings: { get: () => Settings.parse({ schemaVersion: 1 }), onChange: () => () => undefined } })
  await probe.current().catch(() => undefined)
  project.provide('probeFolder', folder)
  return () => rm(folder, { recursive: true, force: true })
}
