import { expect, test } from 'vitest'
import { lockFaults } from './lock.mjs'
import { differenceFromLock } from './node-modules.mjs'
import { at, readJson } from './project.mjs'

const lock = readJson(at('package-lock.json')) as { lockfileVersion: number; packages: Parameters<typeof lockFaults>[0] }
const manifest = readJson(at('package.json')) as Record<'dependencies' | 'devDependencies', Record<string, string>>
const resolved = 'https://registry.npmjs.org/x'

test('the lock file has every package for every platform, with its digest, from the npm registry', () => {
  expect(lock.lockfileVersion).toBe(3)
  expect(lockFaults(lock.packages)).toEqual([])
})

test.each([
  ['linux', 'x64'], ['linux', 'arm64'], ['darwin', 'x64'], ['darwin', 'arm64'], ['win32', 'x64'], ['win32', 'arm64'],
])('the bundler has a binary for %s on %s', (os, cpu) => {
  const binaries = Object.entries(lock.packages as Record<string, { os?: string[]; cpu?: string[] }>)
    .filter(([path, entry]) => path.includes('@rolldown/binding-') && entry.os?.includes(os) && entry.cpu?.includes(cpu))
  expect(binaries.length).toBeGreaterThan(0)
})

test('every version that the project asks for is exact, and the one in the lock file', () => {
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    expect(version, name).toMatch(/^\d+\.\d+\.\d+$/)
    expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version)
  }
})

test('a platform package that the lock file lacks is named', () => {
  const packages = { '': {}, 'node_modules/a': { version: '1.0.0', resolved, integrity: 'i', optionalDependencies: { 'a-linux': '1', 'a-win': '1' } }, 'node_modules/a-linux': { resolved, integrity: 'i' } }
  expect(lockFaults(packages)).toEqual(['node_modules/a 1.0.0 wants a-win, which the lock file lacks.'])
})

test('a nested package finds its optional ones beside it and above it', () => {
  const packages = {
    'node_modules/a': { resolved, integrity: 'i' },
    'node_modules/a/node_modules/b': { resolved, integrity: 'i', optionalDependencies: { near: '1', far: '1' } },
    'node_modules/a/node_modules/near': { resolved, integrity: 'i' },
    'node_modules/far': { resolved, integrity: 'i' },
  }
  expect(lockFaults(packages)).toEqual([])
})

test('a package from elsewhere, or without a digest, is named', () => {
  expect(lockFaults({ 'node_modules/a': { resolved: 'http://localhost/a.tgz' } })).toEqual([
    'node_modules/a does not come from the npm registry but from http://localhost/a.tgz.',
    'node_modules/a has no integrity.',
  ])
})

test('what is installed matches the lock file that it came from, packages of other platforms aside', () => {
  const locked = { '': {}, 'node_modules/a': { version: '1', integrity: 'x' }, 'node_modules/a-win': { version: '1', optional: true, os: ['win32'] } }
  expect(differenceFromLock(locked, { 'node_modules/a': { version: '1', integrity: 'x' } })).toBeNull()
})

test.each([
  ['nothing is installed', undefined, 'they are not there yet'],
  ['one is missing', {}, 'a is missing'],
  ['one has another version', { 'node_modules/a': { version: '2', integrity: 'x' } }, 'a has another version'],
  ['one is left over', { 'node_modules/a': { version: '1', integrity: 'x' }, 'node_modules/@s/b': { version: '1' } }, '@s/b is left over'],
])('an install is due when %s', (_, installed, difference) => {
  expect(differenceFromLock({ '': {}, 'node_modules/a': { version: '1', integrity: 'x' } }, installed)).toBe(difference)
})
