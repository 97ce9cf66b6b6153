import { expect, test } from 'vitest'
import { z } from 'zod'
import { schemaIssues } from '.'

const schema = z.object({
  count: z.int().min(1).max(64), size: z.int().max(100), name: z.string().min(1).max(5), kind: z.enum(['a', 'b']), list: z.array(z.string()).max(1), on: z.boolean(), there: z.string(),
  firmware: z.discriminatedUnion('type', [z.object({ type: z.literal('bios') }), z.object({ type: z.literal('uefi') })]), own: z.string().regex(/^x/u, 'It begins with x.'),
})

test('what a schema finds wrong is said in plain words, once for each place', () => {
  const { error } = schema.safeParse({ count: 0, size: 1e30, name: '', kind: 'c', list: ['a', 'b'], on: 'yes', firmware: { type: 'coreboot' }, own: 'y' })
  expect(Object.fromEntries(schemaIssues(error ?? expect.fail()).map(({ path, message }) => [path.join('.'), message]))).toEqual({
    count: 'The least is 1.', size: 'The most is 100.', name: 'It can’t be empty.', kind: 'It can be a, b.', list: 'There are at most 1.', on: 'It is true or false.', there: 'It is missing.', 'firmware.type': 'It can be bios, uefi.', own: 'It begins with x.',
  })
  expect(schemaIssues(error ?? expect.fail())).toHaveLength(9)
  expect(z.int().safeParse(1.5).error?.issues[0]?.message).toBe('A whole number is needed.')
})
