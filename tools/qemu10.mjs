#!/usr/bin/env node
// @ts-check
// `npm run test:qemu10`: the tests with real guests against QEMU 10 of Debian 13, beside whatever QEMU the system has.
// `npm run test:qemu10 -- ARGUMENTS…` passes file names and options on to vitest; `--path` only prints where the programs are.
import { delimiter } from 'node:path'
import { ensureQemu10 } from './qemu10-setup.mjs'
import { ensureBuild } from './setup/build.mjs'
import { ensureNodeModules } from './setup/node-modules.mjs'
import { commandScript, toolchainNode } from './setup/project.mjs'
import { handOver } from './setup/run.mjs'
import { ensureSystemPackages, firmware, tpm } from './setup/system-packages.mjs'

try {
  const given = process.argv.slice(2)
  if (given.includes('--path')) console.log(await ensureQemu10(console.error))
  else {
    await ensureNodeModules(console.log)
    const qemu = await ensureQemu10(console.log)
    await ensureSystemPackages([firmware, tpm], console.log)
    await ensureBuild(console.log)
    console.log(`Testing with the programs in ${qemu}`)
    const args = [commandScript('vitest'), 'run', '--project', 'vm', '--maxWorkers=3', ...given]
    // PATH and not RINGSIDE_QEMU: the tests of the search itself must go on as they do with the system's QEMU.
    const env = { ...process.env, PATH: `${qemu}${delimiter}${process.env['PATH'] ?? ''}` }
    process.exitCode = await handOver(toolchainNode(), args, { env })
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
