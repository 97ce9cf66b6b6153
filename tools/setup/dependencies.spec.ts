import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { at, readJson } from './project.mjs'

const { dependencies, devDependencies } = readJson(at('package.json')) as Record<'dependencies' | 'devDependencies', Record<string, string>>
const rows = readFileSync(at('docs/decisions/001-dependencies.md'), 'utf8').split('\n').filter((line) => line.startsWith('| `'))
const explained = rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1]))

test('every package has its reason, and no reason is left of a package that went', () => {
  expect(explained.sort()).toEqual([...Object.keys(dependencies), ...Object.keys(devDependencies)].sort())
})

test('no reason is empty', () => {
  for (const row of rows) expect(row.split('|')[2]?.trim().length, row).toBeGreaterThan(10)
})
