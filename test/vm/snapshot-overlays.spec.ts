import { mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createImageTool, type QemuImg } from '@core/engine/qemu'
import { LayerReader } from '@core/snapshot/layer-file'
import { readLayers } from '@core/snapshot/layers'
import { makeOverlays, removeOverlays } from '@core/snapshot/overlays'
import { probedQemu } from './support/engine-plan'
import { qemuImg } from './support/storage-host'
import { TemporaryFolder } from './support/temporary-folder'

let folder: TemporaryFolder
let tool: QemuImg
beforeAll(async () => {
  folder = await TemporaryFolder.make('rs-overlays-')
  tool = createImageTool((await probedQemu()).imgPath)
})
afterAll(() => folder[Symbol.asyncDispose]())

const MiB = 2 ** 20

async function machine(name: string): Promise<string> {
  const path = folder.in(name)
  for (const part of ['disks', 'firmware']) await mkdir(join(path, part), { recursive: true })
  return path
}

test('a set of overlays has one id, reads as what lies below, and is named by bare names, so that the folder can be moved', async () => {
  const path = await machine('web-00000001')
  await tool.create(join(path, 'disks/disk0.qcow2'), 'qcow2', 4 * MiB, [])
  await tool.create(join(path, 'firmware/nvram.qcow2'), 'qcow2', 528 * 1024, [])
  const tops = await makeOverlays(tool, path, {
    disk0: { path: join(path, 'disks/disk0.qcow2'), virtualBytes: 4 * MiB }, nvram: { path: join(path, 'firmware/nvram.qcow2'), virtualBytes: 528 * 1024 },
  })
  const [, layer = ''] = /^disks\/disk0\.([0-9a-f]{8})\.qcow2$/u.exec(tops['disk0'] ?? '') ?? []
  expect(tops).toEqual({ disk0: `disks/disk0.${layer}.qcow2`, nvram: `firmware/nvram.${layer}.qcow2` })
  const moved = folder.in('moved')
  await rename(path, moved)
  const { graph } = await readLayers(new LayerReader(), moved, [])
  for (const [key, bytes] of [['disk0', 4 * MiB], ['nvram', 528 * 1024]] as const) {
    const top = graph.own(tops[key] ?? '')
    expect(top).toMatchObject({ virtualBytes: bytes, fault: null })
    expect(graph.faultBelow(top?.path ?? '')).toBeNull()
    expect([...graph.downFrom(top?.path ?? '')]).toHaveLength(2)
    await qemuImg('check', '-f', 'qcow2', top?.path ?? '')
  }
  await removeOverlays(moved, tops)
  expect(await readdir(join(moved, 'disks'))).toEqual(['disk0.qcow2'])
})

test('an overlay of a layer in another machine’s folder finds its way there', async () => {
  const original = await machine('original-00000002')
  const clone = await machine('.new-00000003')
  const raw = folder.in('content.raw')
  await writeFile(raw, Buffer.alloc(MiB, 7))
  await qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, join(original, 'disks/disk0.qcow2'))
  const tops = await makeOverlays(tool, clone, { disk0: { path: join(original, 'disks/disk0.qcow2'), virtualBytes: MiB } })
  // As a clone gets its real name when it is whole.
  const whole = folder.in('clone-00000003')
  await rename(clone, whole)
  expect(await qemuImg('compare', '-f', 'qcow2', '-F', 'raw', join(whole, tops['disk0'] ?? ''), raw)).toContain('identical')
})

test('when one of a set can’t be made, none stays', async () => {
  const path = await machine('web-00000004')
  await tool.create(join(path, 'disks/a.qcow2'), 'qcow2', MiB, [])
  const base = { path: join(path, 'disks/a.qcow2'), virtualBytes: MiB }
  let count = 0
  const failing: Pick<QemuImg, 'createOverlay'> = {
    createOverlay: (request) => (++count === 2 ? Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })) : tool.createOverlay(request)),
  }
  await expect(makeOverlays(failing, path, { a: base, b: base })).rejects.toMatchObject({ code: 'DISK_FULL' })
  expect(await readdir(join(path, 'disks'))).toEqual(['a.qcow2'])
})
