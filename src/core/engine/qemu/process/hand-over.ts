import { open, rm } from 'node:fs/promises'

/** A secret on its way to a program, as a file that it reads once. */
export interface HandedSecret extends AsyncDisposable {
  /** What the program is told, for `secret,file=`. */
  readonly file: string
  /** To be inherited by the program as the descriptor that `file` names; null: the file has a name. */
  readonly fd: number | null
}

/**
 * Hands a secret to a program that is about to be started, past its command line and its environment: as a file without a name, which the program inherits. Where a system has no
 * such files, as one that only this user may read and that is removed when this is disposed of, which is when the program has read it.
 * @param path where the file is made; what is there is replaced. In a folder of this user's own
 * @param descriptor the number that the program knows it by
 */
export async function handOver(secret: string, path: string, descriptor: number, platform: NodeJS.Platform = process.platform): Promise<HandedSecret> {
  await rm(path, { force: true })
  const handle = await open(path, 'wx+', 0o600)
  const hasName = platform === 'win32'
  try {
    if (!hasName) await rm(path)
    // By position: macOS gives whoever opens /dev/fd the place at which this handle is.
    await handle.write(Buffer.from(secret, 'utf8'), 0, null, 0)
    if (hasName) await handle.close()
  } catch (error) {
    await handle.close().catch(() => undefined)
    await rm(path, { force: true })
    throw error
  }
  return {
    file: hasName ? path : `/dev/fd/${String(descriptor)}`,
    fd: hasName ? null : handle.fd,
    async [Symbol.asyncDispose]() {
      if (hasName) {
        await rm(path, { force: true })
        return
      }
      // The program may hold it open for as long as it runs.
      await handle.truncate(0).catch(() => undefined)
      await handle.close()
    },
  }
}
