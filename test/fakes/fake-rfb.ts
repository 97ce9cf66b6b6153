import type { Duplex } from 'node:stream'

const width = 640
const height = 400

/**
 * A tiny RFB 3.8 server (RFC 6143) that draws a moving gradient and a square that jumps with every key: enough for a viewer to be
 * tried without a guest. Raw encoding, the pixel format that the client asks for as long as it has 32 bits.
 */
export function serveFakeRfb(stream: Duplex): void {
  let step: 'version' | 'security' | 'init' | 'messages' = 'version'
  let buffer = Buffer.alloc(0)
  let shifts = [16, 8, 0]
  let keys = 0
  let frame = 0
  let timer: NodeJS.Timeout | null = null
  let last = 0

  stream.write('RFB 003.008\n')
  stream.on('data', (piece: Buffer) => {
    buffer = Buffer.concat([buffer, piece])
    while (takeOne());
  })
  const end = (): void => {
    if (timer) clearTimeout(timer)
    stream.destroy()
  }
  stream.on('end', end).on('close', end).on('error', end)

  const take = (bytes: number): Buffer | null => {
    if (buffer.length < bytes) return null
    const head = buffer.subarray(0, bytes)
    buffer = buffer.subarray(bytes)
    return head
  }

  function takeOne(): boolean {
    switch (step) {
      case 'version':
        if (!take(12)) return false
        stream.write(Buffer.from([1, 1]))
        step = 'security'
        return true
      case 'security':
        if (!take(1)) return false
        stream.write(Buffer.alloc(4))
        step = 'init'
        return true
      case 'init': {
        if (!take(1)) return false
        const name = Buffer.from('Fake display')
        const init = Buffer.alloc(24)
        init.writeUInt16BE(width, 0)
        init.writeUInt16BE(height, 2)
        Buffer.from([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0]).copy(init, 4)
        init.writeUInt32BE(name.length, 20)
        stream.write(Buffer.concat([init, name]))
        step = 'messages'
        return true
      }
      case 'messages':
        return takeMessage()
    }
  }

  function takeMessage(): boolean {
    const type = buffer[0]
    if (type === undefined) return false
    if (type === 0) {
      const message = take(20)
      if (!message) return false
      if (message[4] === 32) shifts = [message[14] ?? 16, message[15] ?? 8, message[16] ?? 0]
    } else if (type === 2) {
      if (buffer.length < 4) return false
      if (!take(4 + 4 * buffer.readUInt16BE(2))) return false
    } else if (type === 3) {
      if (!take(10)) return false
      timer ??= setTimeout(sendFrame, Math.max(0, last + 200 - performance.now()))
    } else if (type === 4) {
      const message = take(8)
      if (!message) return false
      keys += message[1] ?? 0
    } else if (type === 5) {
      return take(6) !== null
    } else if (type === 6) {
      if (buffer.length < 8) return false
      const length = buffer.readInt32BE(4)
      return take(8 + Math.abs(length)) !== null
    } else {
      stream.destroy()
      return false
    }
    return true
  }

  function sendFrame(): void {
    timer = null
    last = performance.now()
    frame++
    const head = Buffer.alloc(16)
    head.writeUInt16BE(1, 2)
    head.writeUInt16BE(width, 8)
    head.writeUInt16BE(height, 10)
    const pixels = Buffer.alloc(width * height * 4)
    const [red = 16, green = 8, blue = 0] = shifts
    const boxX = 40 + ((keys * 48) % (width - 120))
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const inBox = x >= boxX && x < boxX + 64 && y >= 160 && y < 224
        const r = inBox ? 255 : (x + frame * 4) & 255
        const g = inBox ? 220 : (y * 255) / height
        const b = inBox ? 64 : 128
        pixels.writeUInt32LE((((r << red) | (g << green) | (b << blue)) & 0xffffff) >>> 0, (y * width + x) * 4)
      }
    }
    stream.write(head)
    stream.write(pixels)
  }
}
