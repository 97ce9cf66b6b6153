import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { MachineDefinition } from '@shared/model'
import { errnoOf } from '../config'

/** Bytes that a file takes on the drive; a sparse one takes less than its length. Windows does not say, so the length is taken there. */
export function allocatedBytes(stats: { size: number; blocks: number }): number {
  return process.platform === 'win32' ? stats.size : stats.blocks * 512
}

/** Every file below a folder, largest first. Links are listed as themselves and never followed, so nothing outside is counted. */
export async function filesBelow(folder: string): Promise<{ path: string; bytes: number }[]> {
  const files: { path: string; bytes: number }[] = []
  const pending = [folder]
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const entry of await readdir(at, { withFileTypes: true })) {
      const path = join(at, entry.name)
      if (entry.isDirectory()) {
        pending.push(path)
        continue
      }
      try {
        files.push({ path, bytes: allocatedBytes(await lstat(path)) })
      } catch (error) {
        // Gone between the two calls: nothing that a delete would take.
        if (errnoOf(error) !== 'ENOENT') throw error
      }
    }
  }
  return files.sort((a, b) => b.bytes - a.bytes || a.path.localeCompare(b.path))
}

/** Files outside the machine's folder that it uses: they are never deleted with it. */
export function externalFiles(definition: MachineDefinition): string[] {
  const { kernel } = definition.boot
  const images = [
    ...definition.disks.map((disk) => disk.image),
    ...definition.cdroms.map((cdrom) => cdrom.image),
    kernel?.kernel ?? null,
    kernel?.initrd ?? null,
  ]
  return [...new Set(images.flatMap((image) => (image?.kind === 'external' ? [image.path] : [])))]
}
