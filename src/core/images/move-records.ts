import { dirname } from 'node:path'
import { z } from 'zod'
import { DeviceId, type Disk, DiskFormat, ImageLocation, type MachineDefinition, OldFile } from '@shared/model'
import { makeFolder, readOwnFile, writeAtomically } from '../config'

/** One of the two files of a disk that is being moved. */
const Place = z.object({
  image: ImageLocation,
  format: DiskFormat,
  /** Absolute, links resolved. */
  path: z.string(),
  /** Where the two differ in it. */
  encrypted: z.boolean().optional(),
})

const MoveRecord = z.object({
  machineId: z.uuid(),
  diskId: DeviceId,
  from: Place,
  /** `identity`: device and inode of the file that was made for it, so that no other one of that name is ever removed. */
  to: Place.extend({ identity: z.string() }),
  /** What becomes of the old file. */
  original: OldFile.default('delete'),
})
export type MoveRecord = z.infer<typeof MoveRecord>
const File = z.object({ moves: z.array(MoveRecord) })

/** The definition with another file for one of its disks. */
export function withImage(definition: MachineDefinition, { id, image, format, encrypted }: Pick<Disk, 'id' | 'image' | 'format'> & { encrypted?: boolean | undefined }): MachineDefinition {
  return { ...definition, disks: definition.disks.map((disk) => (disk.id === id ? { ...disk, image, format, encrypted: encrypted ?? disk.encrypted } : disk)) }
}

/**
 * Which disks are being moved and have two whole files by now. Which of them is the disk stands in `machine.json` alone; this tells a later host where the other one lies.
 * Lost, it costs no more than room on a drive.
 */
export class MoveRecords {
  #records: MoveRecord[] | null = null
  #lastWrite: Promise<void> = Promise.resolve()

  constructor(private readonly file: string) {}

  async list(): Promise<readonly MoveRecord[]> {
    this.#records ??= await readOwnFile(this.file).then((text) => File.parse(JSON.parse(text)).moves).catch(() => [])
    return this.#records
  }

  /** Throws what keeps it from being written. */
  async put(record: MoveRecord): Promise<void> {
    this.#records = [...(await this.list()), record]
    await this.#write()
  }

  async remove(record: MoveRecord): Promise<void> {
    this.#records = (await this.list()).filter((other) => other !== record)
    // A drive that is full: the note is seen once more, and comes to the same.
    await this.#write().catch(() => undefined)
  }

  #write(): Promise<void> {
    const turn = this.#lastWrite.then(async () => {
      await makeFolder(dirname(this.file))
      await writeAtomically(this.file, JSON.stringify({ moves: this.#records ?? [] }))
    })
    this.#lastWrite = turn.catch(() => undefined)
    return turn
  }
}
