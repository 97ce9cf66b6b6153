import { InvalidArgumentError } from 'commander'

/** `40G`, `512M`, `1.5T`: binary units, bytes where there is none. `+10G`: so much more than now. */
export interface DiskSize { readonly bytes: number; readonly isMore: boolean }

/** @throws what commander says as wrong usage */
export function diskSize(text: string): DiskSize {
  const match = /^(\+?)(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:i?B)?$/iu.exec(text.trim())
  const [, sign = '', number = '', unit = ''] = match ?? []
  const bytes = Math.round((Number(number) * 1024 ** (unit === '' ? 0 : 'KMGTP'.indexOf(unit.toUpperCase()) + 1)) / 512) * 512
  if (match === null || bytes <= 0) throw new InvalidArgumentError('It is a size such as 512M, 40G or +10G.')
  return { bytes, isMore: sign === '+' }
}
