import { createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createZstdDecompress } from 'node:zlib'
import { RingsideError } from '@shared/errors'
import { errnoOf } from '../../../config'
import type { MemoryFile } from '../../engine'
import { connectEndpoint } from '../endpoint'
import type { QmpClient } from '../qmp'
import { configureMigration, waitForMigration } from './migration'

export interface LoadRequest {
  /** Only read: it may belong to a snapshot. */
  memory: MemoryFile
  /** Where QEMU listens for the state when it does not read the file itself. */
  socket: string
  features: Record<string, boolean>
}

const pieceBytes = 1024 * 1024

const hangUps = ['ERR_STREAM_PREMATURE_CLOSE', 'EPIPE', 'ECONNRESET']

/** Loads saved state into a QEMU that was started with `-incoming defer`. The guest stays paused. */
export async function loadState(qmp: QmpClient, { memory, socket, features }: LoadRequest): Promise<void> {
  const { path, format, compression } = memory
  await access(path).catch((cause: unknown) => {
    throw new RingsideError('FILE_NOT_FOUND', `The machine's saved state is missing: ${path}`, { path, hint: 'Discard the saved state and start the machine afresh.' }, { cause })
  })
  await configureMigration(qmp, { format, way: 'in' }, features)
  if (compression === 'none' && features['fileMigration'] === true) {
    await qmp.executeWithin(null, 'migrate-incoming', { uri: `file:${path}` })
    await waitForMigration(qmp, () => undefined)
    return
  }
  await qmp.execute('migrate-incoming', { uri: `unix:${socket}` })
  const channel = await connectEndpoint({ kind: 'unix', path: socket })
  // A reset after all was sent has nobody else to hear it.
  channel.on('error', () => undefined)
  try {
    const source = createReadStream(path, { highWaterMark: pieceBytes })
    await (compression === 'none' ? pipeline(source, channel) : pipeline(source, createZstdDecompress({ chunkSize: pieceBytes }), channel)).catch((error: unknown) => {
      const code = errnoOf(error)
      if (/^Z(?:STD)?_/u.test(code)) throw damaged(path, error)
      // QEMU hangs up when it has all that it wants, and when it refuses the state. Which of the two it was, the monitor tells.
      if (!hangUps.includes(code)) throw error
    })
    await waitForMigration(qmp, () => undefined)
  } finally {
    channel.destroy()
  }
}

function damaged(path: string, cause: unknown): RingsideError {
  return new RingsideError('QEMU_FAILED', `The machine's saved memory is damaged: ${path}`, {
    path, hint: 'Restore the file from a backup, or start the machine without it: its disks are as they were at that instant.',
  }, { cause })
}
