import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import type { ImageTool } from './image-tool'
import { InfoMemory } from './remembered-info'

test('a file is asked about once, until it changes; a failure is not remembered', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rs-info-'))
  const path = join(folder, 'disk')
  await writeFile(path, 'one')
  const info = vi.fn<ImageTool['info']>().mockResolvedValue({ virtualBytes: 1 })
  const tool = new InfoMemory().over({ info, create: () => Promise.resolve(), convert: () => Promise.resolve() })
  for (let count = 0; count < 3; count += 1) expect(await tool.info(path, 'qcow2')).toEqual({ virtualBytes: 1 })
  expect(info).toHaveBeenCalledTimes(1)
  await tool.info(path, 'vmdk')
  expect(info).toHaveBeenCalledTimes(2)
  await writeFile(path, 'longer')
  info.mockRejectedValueOnce(new Error('busy'))
  await expect(tool.info(path, 'qcow2')).rejects.toThrow('busy')
  expect(await tool.info(path, 'qcow2')).toEqual({ virtualBytes: 1 })
  expect(info).toHaveBeenCalledTimes(4)
  await rm(folder, { recursive: true })
})
