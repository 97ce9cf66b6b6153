import { rm, writeFile } from 'node:fs/promises'
import { qemuImg } from './storage-host'

/** QEMU measures the processor before it makes a LUKS header, and gives up where the clock stands still meanwhile. */
const attempts = 30

/** An image that somebody has encrypted elsewhere with a passphrase. @param format `luks`: a container around a raw disk */
export async function makeForeignImage(path: string, content: Uint8Array, { format, passphrase }: { format: 'qcow2' | 'luks'; passphrase: string }): Promise<void> {
  const [raw, secret] = [`${path}.content`, `${path}.secret`]
  await writeFile(raw, content)
  await writeFile(secret, passphrase)
  const prefix = format === 'qcow2' ? 'encrypt.' : ''
  const options = [...(format === 'qcow2' ? ['encrypt.format=luks'] : []), `${prefix}key-secret=s`, `${prefix}iter-time=10`].flatMap((option) => ['-o', option])
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await qemuImg('convert', '--object', `secret,id=s,file=${secret}`, '-f', 'raw', '-O', format, ...options, raw, path)
        return
      } catch (error) {
        if (attempt === attempts || !String(error).includes('accurate CPU usage')) throw error
      }
    }
  } finally {
    await rm(raw)
    await rm(secret)
  }
}
