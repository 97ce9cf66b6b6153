import { execFile } from 'node:child_process'
import { mkdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ProbeReport } from '@shared/model'
import type { JobReporter } from '@core/app/services'
import { loadCatalog } from '@core/catalog'
import { type CreationOptions, MachineMaker, hostLimits } from '@core/creation'
import { fullProbe, fullQemu } from '@core/creation/qemu.fixture'
import { createImageTool, ensureNvram } from '@core/engine/qemu'
import { FolderLibrary } from '@core/library'
import { HostStorage } from '@core/storage'
import { qemuProgram } from './bare-qemu'
import { ovmf } from './guests'

/** Runs a program to its end; rejects with its code and what it printed when that isn't 0. */
export const run = promisify(execFile)

/** Runs qemu-img for a test's own purposes. */
export async function qemuImg(...argv: string[]): Promise<string> {
  return (await run(await qemuProgram('qemu-img'), argv)).stdout
}

/** Runs commands of qemu-io on a qcow2: writes to a disk as a guest would. Not of the QEMU under test, which has no qemu-io of its own. */
export async function qemuIo(path: string, commands: readonly string[]): Promise<void> {
  const { stdout } = await run('qemu-io', ['-f', 'qcow2', ...commands.flatMap((command) => ['-c', command]), path])
  if (/failed|error/iu.test(stdout)) throw new Error(`qemu-io on ${path}: ${stdout}`)
}

/** Everything that makes machines, with the real qemu-img and without a running host. */
export interface StorageHost {
  libraryFolder: string
  library: FolderLibrary
  storage: HostStorage
  maker: MachineMaker
}

/** @param folder holds the library and what else the host would keep */
export async function storageHost(folder: string, options: Partial<CreationOptions> = {}): Promise<StorageHost> {
  const libraryFolder = join(folder, 'library')
  const imgPath = await qemuProgram('qemu-img')
  const { code, variables } = await ovmf()
  const probe: ProbeReport = {
    ...fullProbe,
    qemu: { ...fullQemu, imgPath, firmware: fullQemu.firmware.map((image) => ({ ...image, codePath: code, varsTemplatePath: variables })) },
  }
  const catalog = loadCatalog()
  const library = await FolderLibrary.open({ folder: libraryFolder, runtimeRoot: join(folder, 'run'), trash: null })
  const storage = new HostStorage({ libraryFolder, catalog, imageTool: () => Promise.resolve(createImageTool(imgPath)) })
  const maker = new MachineMaker({
    library,
    libraryFolder,
    catalog,
    storage,
    probe: { current: () => Promise.resolve(probe), refresh: () => Promise.resolve(probe), onChange: () => () => undefined },
    imageTool: () => createImageTool(imgPath),
    prepareNvram: ensureNvram,
    limits: () => hostLimits(libraryFolder),
    sampleDisk: () => Buffer.alloc(64 * 1024, 1),
    createdBy: 'ringside test',
    ...options,
  })
  return { libraryFolder, library, storage, maker }
}

/** A reporter whose progress can be waited for and whose job can be cancelled. */
export function jobReporter(
  onReport: (progress: number | null, step: string) => void = () => undefined,
  signal = new AbortController().signal,
): JobReporter {
  return { signal, report: onReport }
}

/** A file system with little room. Use with `await using`. */
export class SmallDrive implements AsyncDisposable {
  private constructor(readonly path: string) {}

  /** Mounts a tmpfs, which only root can. Resolves to null, and says why, where that is not to be had. */
  static async mount(path: string, mebibytes: number): Promise<SmallDrive | string> {
    if (process.platform !== 'linux') return 'a small tmpfs is made on Linux only'
    await mkdir(path, { recursive: true })
    try {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${String(mebibytes)}m,mode=0700`, 'ringside-test', path])
      return new SmallDrive(path)
    } catch (error) {
      return `a tmpfs can't be mounted here, which needs root: ${(error as Error).message.trim()}`
    }
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.path)
    return bavail * bsize
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', ['-l', this.path])
  }
}
