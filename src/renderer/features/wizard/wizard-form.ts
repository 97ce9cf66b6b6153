import type { ErrorCode } from '@shared/errors'
import type { CreateMachineRequest, DiskFormat, HardwareOverrides, ImageReport } from '@shared/model'

/** What a person starts from. `file` becomes a CD or a disk once the file has been looked at. */
export type SourceType = 'file' | 'kernel' | 'network' | 'blank'
export type DiskMode = 'inPlace' | 'copy' | 'convert'
/** Where a file that has been looked at goes. */
export type FileUse = 'cdrom' | 'disk'

/** What a file field knows of the file that it names. */
export type Inspection =
  | { state: 'none' }
  | { state: 'looking'; path: string }
  | { state: 'known'; path: string; report: ImageReport }
  | { state: 'failed'; path: string; code: ErrorCode; message: string; hint: string | null }

/** Everything that can be typed or chosen in the wizard. Numbers may be NaN while a field is empty or holds no number. */
export interface WizardForm {
  sourceType: SourceType
  filePath: string
  /** How the file is used; follows the inspection until a person says otherwise. */
  fileUse: FileUse
  diskFormat: DiskFormat
  diskMode: DiskMode
  /** Files outside the library that the disk is based on and that the person trusts. */
  acceptedFiles: string[]
  /** The image is encrypted with a passphrase of its own; follows the inspection. */
  imageEncrypted: boolean
  imagePassphrase: string
  kernelPath: string
  initrdPath: string
  commandLine: string
  osId: string
  processors: number
  memoryMiB: number
  withDisk: boolean
  diskGiB: number
  encrypt: boolean
  passphrase: string
  passphraseAgain: string
  /** Keep the disk key in the keychain. */
  rememberKey: boolean
  network: 'user' | 'none'
  name: string
  hardware: HardwareOverrides
  startWhenCreated: boolean
}

export function emptyForm(): WizardForm {
  return {
    sourceType: 'file',
    filePath: '',
    fileUse: 'cdrom',
    diskFormat: 'qcow2',
    diskMode: 'copy',
    acceptedFiles: [],
    imageEncrypted: false,
    imagePassphrase: '',
    kernelPath: '',
    initrdPath: '',
    commandLine: '',
    osId: '',
    processors: 2,
    memoryMiB: 2048,
    withDisk: true,
    diskGiB: 20,
    encrypt: false,
    passphrase: '',
    passphraseAgain: '',
    rememberKey: false,
    network: 'user',
    name: '',
    hardware: {},
    startWhenCreated: true,
  }
}

function sourceOf(form: WizardForm): CreateMachineRequest['source'] {
  switch (form.sourceType) {
    case 'file':
      return form.fileUse === 'cdrom'
        ? { type: 'cdrom', path: form.filePath }
        : { type: 'disk', path: form.filePath, format: form.diskFormat, mode: form.diskMode, ...(form.acceptedFiles.length > 0 ? { acceptedFiles: [...form.acceptedFiles] } : {}), ...(form.imageEncrypted ? { passphrase: form.imagePassphrase } : {}) }
    case 'kernel':
      return {
        type: 'kernel',
        kernel: form.kernelPath,
        initrd: form.initrdPath.trim() === '' ? null : form.initrdPath,
        commandLine: form.commandLine,
      }
    case 'network':
      return { type: 'network' }
    case 'blank':
      return { type: 'blank' }
  }
}

/** The request that the form stands for, faults and all: it is checked, never trusted. */
export function toRequest(form: WizardForm): CreateMachineRequest {
  const chosen = Object.entries(form.hardware).filter(([, value]) => value !== undefined)
  return {
    name: form.name,
    osId: form.osId,
    source: sourceOf(form),
    processors: form.processors,
    memoryMiB: form.memoryMiB,
    newDiskGiB: form.withDisk ? form.diskGiB : null,
    network: form.network,
    ...(form.encrypt ? { encryption: { passphrase: form.passphrase, remember: form.rememberKey } } : {}),
    hardware: Object.fromEntries(chosen),
  }
}

/** Why the disks of such a machine can't be encrypted, a sentence; null: they can. */
export function whyNotEncrypted(form: Pick<WizardForm, 'sourceType' | 'fileUse' | 'diskMode' | 'withDisk'>): string | null {
  const ownDisk = form.sourceType === 'file' && form.fileUse === 'disk'
  if (ownDisk && form.diskMode !== 'convert') return 'A disk that is used where it is, or copied as it is, can’t be encrypted. Have it converted to qcow2.'
  return ownDisk || form.withDisk ? null : 'The machine has no disk that could be encrypted.'
}
