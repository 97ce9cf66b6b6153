import { existsSync, statSync, watch } from 'node:fs'
import { dirname } from 'node:path'

/** Milliseconds from the call of `start` until the serial port's log grows. */
export async function untilFirstSerialByte(log: string, start: () => Promise<unknown>): Promise<number> {
  const size = (): number => (existsSync(log) ? statSync(log).size : 0)
  const before = size()
  const watcher = watch(dirname(log))
  const grown = new Promise<number>((found) => {
    watcher.on('change', () => {
      if (size() > before) found(performance.now())
    })
  })
  const began = performance.now()
  await start()
  const ended = await grown
  watcher.close()
  return ended - began
}
