import { expect, test } from 'vitest'
import { capitalised } from './capitalised'

test('only the first letter becomes a capital', () => {
  expect(capitalised('the TPM of “web”')).toBe('The TPM of “web”')
  expect(capitalised('über')).toBe('Über')
  expect(capitalised('9p')).toBe('9p')
  expect(capitalised('')).toBe('')
})
