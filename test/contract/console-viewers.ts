import { once } from 'node:events'
import { parentPort, workerData } from 'node:worker_threads'
import { WebSocket } from 'ws'

/** What a thread of viewers is told. */
export interface ViewersTask {
  url: string
  consoles: number
}

// Many viewers, one after the other, each of which speaks the moment its console is open. In a thread of their own, so that they do while the host is busy.
const { url, consoles } = workerData as ViewersTask
for (let number = 1; number <= consoles; number++) {
  const socket = new WebSocket(url, ['binary'])
  socket.once('open', () => { socket.send(Buffer.from([1, 2, 3])) })
  await once(socket, 'message')
  socket.close()
  parentPort?.postMessage(number)
}
