import type { FolderListing, ImageReport, OsCatalog } from '@shared/model'
import type { Storage } from '../app/services'
import type { ImageTool } from './image-tool'
import { type Inspection, inspectImage } from './inspect'
import { listFolder } from './list-folder'
import { InfoMemory } from './remembered-info'

export interface StorageOptions {
  readonly libraryFolder: string
  readonly catalog: OsCatalog
  /** The tool of the QEMU in use; null while there is none. */
  readonly imageTool: () => Promise<ImageTool | null>
}

/** Files of this computer, looked at without trusting them. */
export class HostStorage implements Storage {
  readonly #memory = new InfoMemory()

  constructor(private readonly options: StorageOptions) {}

  async inspect(path: string, acceptedFiles?: readonly string[]): Promise<ImageReport> {
    return (await this.examine(path, acceptedFiles)).report
  }

  /** As `inspect`, with what the creation of machines needs besides. */
  async examine(path: string, acceptedFiles: readonly string[] = []): Promise<Inspection> {
    const { libraryFolder, catalog } = this.options
    const tool = await this.options.imageTool()
    return inspectImage(path, { libraryFolder, acceptedFiles, catalog, imageTool: tool === null ? null : this.#memory.over(tool) })
  }

  listFolder(path: string | null): Promise<FolderListing> {
    return listFolder(path, this.options.libraryFolder)
  }
}
