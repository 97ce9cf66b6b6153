import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MachineDefinition, Tpm } from '@shared/model'
import { desktop } from '../engine/qemu/argv/argv.fixture'
import { hardwareOf, inPresentLayers, isSameHardware } from './hardware'
import { makeTpmFolder, removeUnusedTpm, tpmIssues, withOwnTpm } from './tpm'

let folder: string
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'rs-tpm-')) })
afterEach(() => rm(folder, { recursive: true, force: true }))

const withTpm = (state?: string) => MachineDefinition.parse({ ...desktop, tpm: state === undefined ? null : { state } })
const stored = (definition: MachineDefinition) => ({ definition, paths: { folder } })

test('a new TPM gets a place of its own; one that is there keeps its state, whatever else is changed', () => {
  const added = withOwnTpm(hardwareOf(withTpm('tpm/new')), withTpm())
  expect(added.tpm?.state).toMatch(/^tpm\/[0-9a-f]{8}$/u)
  expect(withOwnTpm({ ...hardwareOf(withTpm('tpm/new')) }, withTpm('tpm/aaaaaaaa')).tpm?.state).toBe('tpm/aaaaaaaa')
})

test('which state a TPM has now is no matter of the hardware, and another TPM is', () => {
  const before = hardwareOf(withTpm('tpm/aaaaaaaa'))
  const reverted = withTpm('tpm/aaaaaaaa.12345678')
  expect(inPresentLayers(before, reverted).tpm?.state).toBe('tpm/aaaaaaaa.12345678')
  expect(isSameHardware(before, hardwareOf(reverted))).toBe(true)
  expect(isSameHardware(before, hardwareOf(withTpm('tpm/bbbbbbbb')))).toBe(false)
})

test('taking a TPM out names what goes, and what is kept', async () => {
  expect(await tpmIssues(hardwareOf(withTpm()), stored(withTpm('tpm/aaaaaaaa')))).toMatchObject([{ path: 'tpm', severity: 'warning', message: expect.stringMatching(/BitLocker.*tpm\/aaaaaaaa/u) as string }])
  expect(await tpmIssues(hardwareOf(withTpm()), stored(withTpm()))).toEqual([])
  expect(await tpmIssues(hardwareOf(withTpm('disposable/tpm')), stored(withTpm()))).toMatchObject([{ severity: 'error' }])
})

test('states lie nowhere else', () => {
  for (const state of ['disks', 'tpm/../disks', 'tpm/a/b', '/tpm/a', 'tpm/A', 'tpm', 'snapshots/x/tpm/a']) expect([state, Tpm.safeParse({ state }).success]).toEqual([state, false])
})

test('a folder that was never used goes with its TPM, one with keys stays', async () => {
  await makeTpmFolder(withTpm('tpm/aaaaaaaa'), { folder })
  await makeTpmFolder(withTpm('tpm/bbbbbbbb'), { folder })
  await writeFile(join(folder, 'tpm/bbbbbbbb/tpm2-00.permall'), 'keys')
  for (const line of ['aaaaaaaa', 'bbbbbbbb', 'cccccccc']) await removeUnusedTpm(withTpm(`tpm/${line}`), withTpm(), { folder })
  expect(await readdir(join(folder, 'tpm'))).toEqual(['bbbbbbbb'])
  await mkdir(join(folder, 'tpm/dddddddd'))
  await makeTpmFolder(withTpm('tpm/dddddddd'), { folder })
})
