import type { Duplex } from 'node:stream'
import { type ByteChannel, closeCode, highWaterBytes } from './byte-channel'

/**
 * Joins a stream of its own to one viewer. A viewer that reads slowly slows its stream down, and a stream that takes slowly slows its
 * viewer's input; whichever ends, ends the other.
 */
export function pumpConsole(stream: Duplex, viewer: ByteChannel): void {
  let over = false
  const finish = (code: number, reason: string): void => {
    if (over) return
    over = true
    stream.destroy()
    viewer.close(code, reason)
  }
  stream.on('data', (bytes: Buffer) => {
    viewer.send(bytes)
    if (viewer.queuedBytes > highWaterBytes) stream.pause()
  })
  viewer.onDrain(() => {
    stream.resume()
  })
  viewer.onData((bytes) => {
    if (!over && !stream.write(bytes)) viewer.pause()
  })
  stream.on('drain', () => {
    viewer.resume()
  })
  stream.on('error', (error: Error) => {
    finish(closeCode.failed, error.message)
  })
  stream.on('end', () => {
    finish(closeCode.goingAway, 'The machine closed its console.')
  })
  stream.on('close', () => {
    finish(closeCode.goingAway, 'The machine closed its console.')
  })
  viewer.onClose(() => {
    over = true
    stream.destroy()
  })
}
