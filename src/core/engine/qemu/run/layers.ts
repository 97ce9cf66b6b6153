import { randomBytes } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { RingsideError } from '@shared/errors'
import type { Disk, MachineDefinition } from '@shared/model'
import { nvramLayer } from '../../engine'
import { type BlockNode, fileNode, keyOfNode, layeredNode, nvramNodes, overlayNode, topNodes, withoutPull } from '../argv'
import { takesDirectIo } from '../image/check-image'
import { QmpCommandError, type QmpClient } from '../qmp'
import { marksOf } from './mark-names'

/** Commands that open, close or flush image files. */
export const blockCommandMs = 60_000

/** A format node of a running machine and the file behind it. */
export interface LayerNode {
  node: string
  /** Absolute path. */
  file: string
  /** The marks of backups that can be trusted. */
  marks: string[]
}

/** The layers that the guest writes to now, by disk id and `nvramLayer`: qcow2 ones that can be written to. */
export async function readTopLayers(qmp: QmpClient, definition: MachineDefinition): Promise<Map<string, LayerNode>> {
  const [drives, files] = await Promise.all([qmp.executeWithin(blockCommandMs, 'query-block'), nodeFiles(qmp)])
  const written = new Set([...definition.disks.filter((disk) => !disk.readOnly).map((disk) => disk.id), nvramLayer])
  const tops = new Map<string, LayerNode>()
  for (const { inserted } of drives) {
    const node = withoutPull(inserted?.['node-name'] ?? '')
    const key = keyOfNode(definition, node)
    const found = files.get(node)
    if (inserted?.ro !== false || key === null || !written.has(key) || found?.format !== 'qcow2') continue
    // A disk that was moved has its file by way of a link.
    tops.set(key, { node, file: await realpath(found.file).catch(() => found.file), marks: found.marks })
  }
  return tops
}

/** What lies behind a format node. */
export interface NodeFile {
  format: string
  /** Absolute path. */
  file: string
  /** A qcow2 whose clusters are allocated in parts (`extended_l2`). */
  inParts: boolean
  /** The marks of backups that can be trusted. */
  marks: string[]
}

/** Every format node whose file is a node of its own, newest first. The path that QEMU tells of a format node itself can be JSON. */
export async function nodeFiles(qmp: QmpClient): Promise<Map<string, NodeFile>> {
  const nodes = new Map((await qmp.executeWithin(blockCommandMs, 'query-named-block-nodes', { flat: true })).map((node) => [node['node-name'], node]))
  const found = new Map<string, NodeFile>()
  for (const [name, node] of nodes) {
    const file = nodes.get(fileNode(name))
    if (file !== undefined) found.set(name, { format: node.drv, file: file.file, marks: Object.keys(marksOf(node)), inParts: node.image?.['format-specific']?.data['extended-l2'] === true })
  }
  return found
}

/** An overlay that QEMU has opened and not put to use yet. */
export interface OpenedOverlay {
  key: string
  node: string
  below: string
  /** Marks of the layer below, which hold for the overlay as well. */
  marks: string[]
}

/**
 * Opens overlays of the layers on top, with the same options as those, and puts none of them to use yet. Throws `INVALID_INPUT` for a disk that has no such layer;
 * then, and on any other failure, none stays open.
 */
export async function openOverlays(qmp: QmpClient, machine: { definition: MachineDefinition; features: Record<string, boolean> }, overlays: Readonly<Record<string, string>>): Promise<OpenedOverlay[]> {
  const tops = await readTopLayers(qmp, machine.definition)
  const opened: OpenedOverlay[] = []
  try {
    for (const [key, path] of Object.entries(overlays)) {
      const below = tops.get(key)
      if (below === undefined) throw new RingsideError('INVALID_INPUT', `The running machine has no disk “${key}” that a layer could be put upon.`)
      // New in every process and every worker: names of nodes that came and went are not used again.
      const node = overlayNode(layeredNode(key), randomBytes(4).toString('hex'))
      opened.push({ key, node, below: below.node, marks: below.marks })
      for (const part of await overlayNodes(machine, key, path, node)) await qmp.executeWithin(blockCommandMs, 'blockdev-add', part)
    }
    return opened
  } catch (error) {
    await closeNodes(qmp, opened.map(({ node }) => node))
    throw error
  }
}

/**
 * From one instant on, the guest writes to the overlays, all of them together or none. They take over the marks of the layers below, so that the next backup can go on from them;
 * where that can't be had, they have none, and the next backup is whole.
 */
export async function switchToOverlays(qmp: QmpClient, overlays: readonly OpenedOverlay[]): Promise<void> {
  if (overlays.length === 0) return
  const actions = overlays.map(({ node, below }) => ({ type: 'blockdev-snapshot', data: { node: below, overlay: node } }))
  const marks = overlays.flatMap(({ node, below, marks }) => marks.flatMap((name) => [
    { type: 'block-dirty-bitmap-add', data: { node, name, persistent: true, granularity: 65_536 } },
    { type: 'block-dirty-bitmap-merge', data: { node, target: name, bitmaps: [{ node: below, name }] } },
  ]))
  if (marks.length > 0) {
    try {
      await qmp.executeWithin(blockCommandMs, 'transaction', { actions: [...marks, ...actions] })
      return
    } catch (error) {
      // Refused whole: nothing of it was done.
      if (!(error instanceof QmpCommandError)) throw error
    }
  }
  await qmp.executeWithin(blockCommandMs, 'transaction', { actions })
}

/** Takes format nodes and the files behind them out of the graph. Those that are in use stay, and those that are not there are fine. */
export async function closeNodes(qmp: QmpClient, nodes: readonly string[]): Promise<void> {
  for (const node of nodes) {
    for (const name of [node, fileNode(node)]) {
      await qmp.executeWithin(blockCommandMs, 'blockdev-del', { 'node-name': name }).catch((error: unknown) => {
        if (!(error instanceof QmpCommandError)) throw error
      })
    }
  }
}

async function overlayNodes({ definition, features }: { definition: MachineDefinition; features: Record<string, boolean> }, key: string, path: string, node: string): Promise<BlockNode[]> {
  if (key === nvramLayer) return nvramNodes(path, node, null)
  const disk = diskOf(definition, key)
  return topNodes({ ...disk, format: 'qcow2' }, { path, driver: 'file', directIo: await takesDirectIo(path) }, features, node, null)
}

function diskOf({ disks }: MachineDefinition, id: string): Disk {
  const disk = disks.find((known) => known.id === id)
  if (disk === undefined) throw new RingsideError('NOT_FOUND', `The machine has no disk “${id}”.`)
  return disk
}
