import { RingsideError } from '@shared/errors'
import type { ArgumentList } from './argument-list'
import type { ArgvInput } from './input'
import { option, options } from './options'

const socketId = 'sys-tpm-socket'
const backendId = 'sys-tpm'

/** A TPM that another process plays, which listens already [docs/specs/tpm.rst]. It has its place in the memory of every board, and takes none on a bus. */
export function addTpm(list: ArgumentList, { definition: { tpm }, endpoints }: ArgvInput): void {
  if (tpm === null) return
  if (endpoints.tpm === null) throw new RingsideError('CAPABILITY_MISSING', 'The machine has a TPM, and this system has nothing that plays one (swtpm).', { hint: 'Take the TPM out of the machine’s hardware.' })
  list.chardev(options('socket', option('id', socketId), option('path', endpoints.tpm)))
  list.add('-tpmdev', options('emulator', option('id', backendId), option('chardev', socketId)))
  list.device({ driver: tpm.model, id: 'sys-tpm-chip', tpmdev: backendId })
}
