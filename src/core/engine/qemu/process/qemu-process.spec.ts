import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { QemuProcess } from './qemu-process'

let folder: string
beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'rs-process-')) })
afterAll(() => rm(folder, { recursive: true, force: true }))

const spawn = (command: string, argv: string[]): Promise<QemuProcess> => QemuProcess.spawn(command, argv, { logPath: join(folder, 'qemu.log'), folder })

test('a command line that is longer than the system takes is told in words', async () => {
  const argv = Array.from({ length: 40 }, () => 'x'.repeat(100_000))
  await expect(spawn(process.execPath, argv)).rejects.toMatchObject({ code: 'QEMU_FAILED', message: expect.stringContaining('layers') as string, data: { hint: expect.stringContaining('Delete snapshots') as string } })
})

test('a program that is not there is told apart from one that may not be run', async () => {
  await expect(spawn(join(folder, 'none'), [])).rejects.toMatchObject({ code: 'QEMU_NOT_FOUND' })
  await expect(spawn(folder, [])).rejects.toMatchObject({ code: 'QEMU_FAILED' })
})
