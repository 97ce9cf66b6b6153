import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findSwtpm, readCapabilities, readTpmSupport, swtpmAdvice } from './find-swtpm'

let folder: string
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'rs-swtpm-')) })
afterEach(() => rm(folder, { recursive: true, force: true }))

async function swtpm(script: string): Promise<string> {
  const path = join(folder, 'swtpm')
  await writeFile(path, `#!/bin/sh\n${script}\n`)
  await chmod(path, 0o755)
  return path
}
const answer = (...features: string[]): string => JSON.stringify({ type: 'swtpm', features, version: '0.7.1' })

test('its own words say what it plays', () => {
  expect(readCapabilities(answer('tpm-1.2', 'tpm-2.0', 'cmdarg-seccomp'))).toEqual({ version: '0.7.1', versions: ['1.2', '2.0'] })
  expect(() => readCapabilities('{"type":"other","features":[]}')).toThrow()
})

test('found where it is named or in PATH, and asked', async () => {
  const path = await swtpm(`echo '${answer('tpm-1.2', 'tpm-2.0')}'`)
  expect(await findSwtpm({ PATH: folder }, 'linux')).toBe(path)
  expect(await readTpmSupport({ RINGSIDE_SWTPM: path }, 'linux')).toEqual({ program: { path, version: '0.7.1', versions: ['1.2', '2.0'] }, obstacle: null, remedy: null })
})

test('what is missing, broken or built without TPM 2.0 is said with what to do', async () => {
  expect(await readTpmSupport({ RINGSIDE_SWTPM: join(folder, 'none') }, 'linux')).toMatchObject({ program: null, obstacle: expect.stringContaining('not found') as string, remedy: expect.stringContaining('apt install swtpm') as string })
  await swtpm('echo "error while loading shared libraries: libtpms.so.0" >&2; exit 127')
  expect(await readTpmSupport({ PATH: folder }, 'linux')).toMatchObject({ program: null, obstacle: expect.stringContaining('libtpms') as string })
  await swtpm(`echo '${answer('tpm-1.2')}'`)
  expect(await readTpmSupport({ PATH: folder }, 'linux')).toMatchObject({ program: null, obstacle: expect.stringContaining('without TPM 2.0') as string })
  expect(swtpmAdvice('darwin')).toContain('brew install swtpm')
  expect(await readTpmSupport({ PATH: folder }, 'win32')).toMatchObject({ program: null, obstacle: expect.stringContaining('Windows') as string, remedy: null })
})
