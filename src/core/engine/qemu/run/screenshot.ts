import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { PNG } from 'pngjs'
import { RingsideError } from '@shared/errors'
import type { QmpClient } from '../qmp'

let counter = 0

/** PNG bytes of the guest's screen. QEMU writes a file, which lies in the run's private folder for a moment. */
export async function takeScreenshot(qmp: QmpClient, runtimeFolder: string, canPng: boolean): Promise<Uint8Array> {
  const file = join(runtimeFolder, `screen-${String(process.pid)}-${String(counter++)}`)
  try {
    await qmp.execute('screendump', { filename: file, ...(canPng ? { format: 'png' as const } : {}) })
    const bytes = await readFile(file)
    return canPng ? bytes : ppmToPng(bytes)
  } finally {
    await rm(file, { force: true })
  }
}

/** Turns a binary PPM, as QEMU before 7.1 writes it, into a PNG [netpbm: ppm(5)]. */
export function ppmToPng(ppm: Uint8Array): Uint8Array {
  const head = /^P6\s+(\d+)\s+(\d+)\s+255\s/u.exec(Buffer.from(ppm.subarray(0, 64)).toString('latin1'))
  const width = Number(head?.[1])
  const height = Number(head?.[2])
  const start = head?.[0].length ?? 0
  if (head === null || ppm.length < start + width * height * 3) throw new RingsideError('PROTOCOL', 'QEMU wrote a picture of the screen that is no PPM.')
  const png = new PNG({ width, height, colorType: 2 })
  for (let pixel = 0; pixel < width * height; pixel++) {
    png.data.set(ppm.subarray(start + pixel * 3, start + pixel * 3 + 3), pixel * 4)
    png.data[pixel * 4 + 3] = 255
  }
  return PNG.sync.write(png, { colorType: 2 })
}
