import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isContractProcedure } from '@orpc/contract'
import { isProcedure } from '@orpc/server'
import { expect, test } from 'vitest'
import { router } from '@core/app/router'
import { contract } from '@shared/contract'
import { ErrorCode } from '@shared/errors'

const procedures = (node: unknown, path: string[] = []): { path: string[]; node: unknown }[] => {
  if (isContractProcedure(node)) return [{ path, node }]
  return Object.entries(node as Record<string, unknown>).flatMap(([key, child]) => procedures(child, [...path, key]))
}
const at = (root: unknown, path: string[]): unknown => path.reduce((node, key) => (node as Record<string, unknown> | undefined)?.[key], root)

test('every entry of the contract has a handler, and every handler an entry', () => {
  const declared = procedures(contract)
  expect(declared.length).toBeGreaterThan(25)
  for (const { path } of declared) expect(isProcedure(at(router, path)), path.join('.')).toBe(true)
  expect(procedures(router).map(({ path }) => path.join('.')).sort()).toEqual(declared.map(({ path }) => path.join('.')).sort())
})

test('every entry declares every error code and the schema of what it answers', () => {
  for (const { path, node } of procedures(contract)) {
    const { errorMap, outputSchema } = (node as { '~orpc': { errorMap: object; outputSchema?: unknown } })['~orpc']
    expect(Object.keys(errorMap).sort(), path.join('.')).toEqual([...ErrorCode.options].sort())
    expect(outputSchema, path.join('.')).toBeDefined()
  }
})

/** All that the specs here, or the command line, are made of, in one text. */
const sources = async (folder: string): Promise<string> => {
  const names = await readdir(folder, { recursive: true })
  return (await Promise.all(names.filter((name) => name.endsWith('.ts')).map((name) => readFile(join(folder, name), 'utf8')))).join('\n')
}

test('every entry is called by a test of the contract', async () => {
  const specs = await sources(import.meta.dirname)
  expect(procedures(contract).map(({ path }) => path.join('.')).filter((name) => !specs.includes(`client.${name}(`))).toEqual([])
})

test('the command line reaches everything about snapshots', async () => {
  const commands = await sources(join(import.meta.dirname, '../../src/cli'))
  expect(Object.keys(contract.snapshot).filter((name) => !commands.includes(`client.snapshot.${name}(`))).toEqual([])
})

test('the command line reaches everything about hardware', async () => {
  const commands = await sources(join(import.meta.dirname, '../../src/cli'))
  expect(Object.keys(contract.hardware).filter((name) => !commands.includes(`client.hardware.${name}(`))).toEqual([])
})

test('the command line reaches everything about guests', async () => {
  const commands = await sources(join(import.meta.dirname, '../../src/cli'))
  expect(Object.keys(contract.guest).filter((name) => !commands.includes(`client.guest.${name}(`))).toEqual([])
})
