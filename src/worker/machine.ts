import { createQemuEngine } from '@core/engine/qemu'
import { openHostChannel } from './host-channel'
import { MachineWorker } from './machine-worker'
import { warmUp } from './warm-up'

// Ctrl+C in a terminal reaches every process of its group. What becomes of machines is the host's decision; when it is gone, this ends too.
process.on('SIGINT', () => undefined)
process.on('SIGHUP', () => undefined)

const channel = openHostChannel()
// A worker that is kept ready has no message waiting, and time to spare.
const idle = setTimeout(warmUp, 100)
channel.onMessage(() => {
  clearTimeout(idle)
})

new MachineWorker(channel, createQemuEngine(), () => {
  process.exit()
})
