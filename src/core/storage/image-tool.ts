import type { DiskFormat } from '@shared/model'

/** What a disk image is, as the tool that knows all formats says. */
export interface ImageToolInfo {
  virtualBytes: number
}

/**
 * Makes and converts disk images: `qemu-img`, behind what storage and creation need of it. Every format is stated, none is guessed.
 * Failures are `RingsideError`s with the process's last words: `DISK_FULL`, `CANCELLED`, `IMAGE_DAMAGED`, `QEMU_FAILED`.
 */
export interface ImageTool {
  info(path: string, format: DiskFormat): Promise<ImageToolInfo>
  /**
   * @param options as for `qemu-img create -o`, e.g. `lazy_refcounts=on`
   * @param signal ends it; what it has written is removed then
   * @param key encrypts it (LUKS in qcow2); null: it is plain
   */
  create(path: string, format: 'qcow2' | 'raw', bytes: number, options: readonly string[], signal?: AbortSignal, key?: string | null): Promise<void>
  /** Writes `target`, which must not exist. What it has written is removed when it fails or is cancelled. */
  convert(request: ConvertRequest): Promise<void>
}

export interface ConvertRequest {
  source: string
  sourceFormat: DiskFormat
  target: string
  targetFormat: DiskFormat
  options: readonly string[]
  /** The target becomes a layer upon this, as the source is: only what the source itself has is written. `name` as its header will have it. Absent: it stands alone. */
  backing?: { name: string; format: DiskFormat }
  /**
   * `keep`: a target of an encrypted source is encrypted with the same key, which only qcow2 can be; the rule. `none`: it is plain, whatever the source is. A key: encrypted with that.
   */
  encryption?: 'keep' | 'none' | { key: string }
  /** Opens a source from elsewhere that is encrypted with a passphrase of its own: LUKS in qcow2 with all its layers, or, of `raw`, a LUKS container. Another one throws `KEY_WRONG`. */
  passphrase?: string | null
  /** @param fraction 0..1 */
  onProgress: (fraction: number) => void
  /** Told the number of the process that does it, which goes on should this one be killed. */
  onStarted?: (pid: number) => void
  signal: AbortSignal
}
