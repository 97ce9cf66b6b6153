import type { QemuProcess } from '../process/qemu-process'
import type { TpmProcess } from '../tpm'

/** How long a TPM may be gone before QEMU, when that ends. */
const tpmLastsMs = 1_500

/** Tells when a machine’s TPM ends before its QEMU does: the guest goes on without it, and its commands to it fail. @param tpm null: it is gone already */
export async function watchTpm({ qemu, tpm }: { qemu: QemuProcess; tpm: TpmProcess | null }, isReleased: () => boolean, tell: (sentence: string) => void): Promise<void> {
  await tpm?.ended
  // As a rule QEMU is about to be gone.
  if (isReleased() || (await qemu.exitedWithin(tpmLastsMs))) return
  const words = await tpm?.lastWords()
  tell(`The machine’s TPM (swtpm) has ended while the guest runs, which can’t use it until the machine is shut down and started again.${words === undefined || words === '' ? '' : ` Its last words: ${words.split('\n').at(-1) ?? ''}`}`)
}
