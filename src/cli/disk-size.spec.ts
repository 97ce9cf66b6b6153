import { expect, test } from 'vitest'
import { diskSize } from './disk-size'

test('sizes have binary units, and say whether they are added', () => {
  expect(['512M', '1.5GiB', '4096', '+10g', '2 TB'].map(diskSize)).toEqual([
    { bytes: 2 ** 29, isMore: false }, { bytes: 1.5 * 2 ** 30, isMore: false }, { bytes: 4096, isMore: false }, { bytes: 10 * 2 ** 30, isMore: true }, { bytes: 2 * 2 ** 40, isMore: false },
  ])
  for (const text of ['', 'big', '-1G', '0', '1X', '+']) expect(() => diskSize(text)).toThrow(/such as/u)
})
