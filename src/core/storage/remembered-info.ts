import { stat } from 'node:fs/promises'
import type { DiskFormat } from '@shared/model'
import type { ImageTool, ImageToolInfo } from './image-tool'

const remembered = 64

/**
 * What the image tool said about a file holds until the file changes: a form that is checked at every key must not start a process each
 * time. Failures are not remembered.
 */
export class InfoMemory {
  readonly #known = new Map<string, ImageToolInfo>()

  /** The same tool, with a memory for `info`. */
  over(tool: ImageTool): ImageTool {
    return { create: tool.create.bind(tool), convert: tool.convert.bind(tool), info: (path, format) => this.#info(tool, path, format) }
  }

  async #info(tool: ImageTool, path: string, format: DiskFormat): Promise<ImageToolInfo> {
    const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true })
    const key = [path, format, dev, ino, size, mtimeNs].join('\0')
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const info = await tool.info(path, format)
    if (this.#known.size >= remembered) this.#known.delete(this.#known.keys().next().value ?? '')
    this.#known.set(key, info)
    return info
  }
}
