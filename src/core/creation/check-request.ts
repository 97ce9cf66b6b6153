import { constants } from 'node:fs'
import { access, realpath } from 'node:fs/promises'
import { type Issue, RingsideError } from '@shared/errors'
import {
  boardFor,
  type CreateMachineRequest,
  type HostLimits,
  type OsCatalog,
  type OsEntry,
  type ProbeReport,
  type QemuReport,
  checkCreateMachine,
  CreateMachineRequest as RequestSchema,
} from '@shared/model'
import type { StoredMachine } from '../app/services'
import { errnoOf, fileError } from '../config'
import { luksObstacle } from '../engine/qemu'
import { imagePath } from '../library'
import { FileSource, type Inspection, bytesInWords, withHint } from '../storage'
import { isInside } from '../storage/references'
import { chooseFirmware, diskDevices, displayDevices, hasDevice, hasSecureBoot, hasUefi, nicDevices, tpmObstacle } from './define-machine'

/** What a request is held against. */
export interface CheckContext {
  readonly limits: HostLimits
  readonly catalog: OsCatalog
  readonly probe: ProbeReport
  readonly machines: readonly StoredMachine[]
  readonly libraryFolder: string
  inspect(path: string, acceptedFiles?: readonly string[]): Promise<Inspection>
}

/** A fault with its type, for the caller that gets only one. */
export interface Fault {
  readonly issue: Issue
  readonly error: RingsideError | null
}

export interface Checked {
  readonly faults: readonly Fault[]
  /** null when the request has not even the form of one. */
  readonly request: CreateMachineRequest | null
  readonly os: OsEntry | null
  /** What was found in the source's main file. */
  readonly source: Inspection | null
}

/** Every fault at once: the form, this computer's limits, names, files, disks in use, and what this QEMU lacks. */
export async function checkRequest(input: unknown, context: CheckContext): Promise<Checked> {
  const faults = new Faults()
  for (const issue of checkCreateMachine(input, context.limits)) noteShared(issue, faults)
  const parsed = RequestSchema.safeParse(input)
  if (!parsed.success) {
    // The files are looked at even so: who mistypes the name should hear about the missing ISO in the same breath.
    const source = RequestSchema.shape.source.safeParse((input as { source?: unknown } | null)?.source)
    const found = source.success ? await checkSource(source.data, faults, context) : null
    return { faults: faults.all, request: null, os: null, source: found }
  }
  const request = parsed.data
  checkEncryption(request, context, faults)
  const os = context.catalog.entries.find((entry) => entry.id === request.osId) ?? null
  if (os === null)
    faults.add(
      'osId',
      new RingsideError('INVALID_INPUT', `There is no operating system “${request.osId}” in the catalogue.`, {
        hint: 'Choose “other” when yours is not in the list.',
      }),
    )
  else checkMinimum(request, os, faults)
  const source = await checkSource(request.source, faults, context)
  if (request.source.type === 'blank' && request.newDiskGiB === null)
    faults.warn('newDiskGiB', 'A machine with no disk and no source has nothing to start from.')
  const { qemu } = context.probe
  if (qemu === null) {
    const problem = context.probe.qemuProblem
    faults.add(
      '',
      new RingsideError(problem?.code ?? 'QEMU_NOT_FOUND', problem?.message ?? 'QEMU was not found on this computer.', {
        hint: problem?.remedy ?? 'Install QEMU, then look again.',
      }),
    )
  } else {
    checkHardware(request, qemu, context.probe, faults)
    if (os !== null) checkFirmware(request, os, qemu, source, faults)
  }
  return { faults: faults.all, request, os, source }
}

class Faults {
  readonly all: Fault[] = []

  add(path: string, error: RingsideError): void {
    this.addIssue({ path, message: withHint(error), severity: 'error', code: error.code }, error)
  }

  warn(path: string, message: string): void {
    this.addIssue({ path, message, severity: 'warning' }, null)
  }

  addIssue(issue: Issue, error: RingsideError | null): void {
    this.all.push({ issue, error })
  }
}

/** Of the shared check's faults, the ones with a code become errors of their own. */
function noteShared(issue: Issue, faults: Faults): void {
  const error =
    issue.code === undefined
      ? null
      : new RingsideError(issue.code, issue.message, { hint: 'Names are compared without regard to upper and lower case.' })
  faults.addIssue(issue, error)
}

function checkMinimum(request: CreateMachineRequest, os: OsEntry, faults: Faults): void {
  const { minimum, name } = os
  if (request.memoryMiB < minimum.memoryMiB) faults.warn('memoryMiB', `${name} needs at least ${String(minimum.memoryMiB)} MiB of memory.`)
  if (request.processors < minimum.processors) faults.warn('processors', `${name} needs at least ${String(minimum.processors)} processors.`)
  if (request.newDiskGiB !== null && request.source.type !== 'disk' && request.newDiskGiB < minimum.diskGiB)
    faults.warn('newDiskGiB', `${name} needs a disk of at least ${String(minimum.diskGiB)} GiB.`)
}

async function checkSource(source: CreateMachineRequest['source'], faults: Faults, context: CheckContext): Promise<Inspection | null> {
  switch (source.type) {
    case 'cdrom':
      return checkCdrom(source.path, faults, context)
    case 'disk':
      return checkDisk(source, faults, context)
    case 'kernel': {
      const found = await inspectFor('source.kernel', source.kernel, faults, context, ['kernel'])
      if (found !== null && found.faults.length === 0 && found.report.kind !== 'kernel')
        faults.warn('source.kernel', `Nothing shows that this is a Linux kernel for x86: ${source.kernel}`)
      if (source.initrd !== null) await checkPlainFile('source.initrd', source.initrd, faults)
      return found
    }
    case 'blank':
    case 'network':
      return null
  }
}

async function checkCdrom(path: string, faults: Faults, context: CheckContext): Promise<Inspection> {
  const found = await inspectFor('source.path', path, faults, context, ['iso'])
  const { kind, format } = found.report
  if (found.faults.length > 0 || kind === 'iso') return found
  if (kind === 'disk') {
    faults.add(
      'source.path',
      new RingsideError('IMAGE_UNSUPPORTED', `This is no disc image but a ${format ?? ''} disk: ${path}`, {
        path,
        hint: 'Choose it as an existing disk instead.',
      }),
    )
  } else {
    faults.add(
      'source.path',
      new RingsideError('IMAGE_UNSUPPORTED', `This is no disc image, no ISO 9660 or UDF was found in it: ${path}`, {
        path,
        hint: 'Choose an ISO file; if it is one, download it again.',
      }),
    )
  }
  return found
}

async function checkDisk(
  source: Extract<CreateMachineRequest['source'], { type: 'disk' }>,
  faults: Faults,
  context: CheckContext,
): Promise<Inspection> {
  const { path, mode } = source
  const found = await inspectFor('source.path', path, faults, context, ['disk', 'iso', 'unknown'], { passphrase: source.passphrase, acceptedFiles: mode === 'convert' ? source.acceptedFiles : undefined })
  if (found.faults.some((fault) => !isOpened(fault, source))) return found
  const { report } = found
  if (source.passphrase !== undefined && report.encryption === undefined) {
    faults.add('source.passphrase', new RingsideError('INVALID_INPUT', `The image is not encrypted, so that no passphrase opens it: ${path}`, { path, hint: 'Leave the passphrase out.' }))
  }
  const actual = report.format ?? 'raw'
  if (source.format !== actual) {
    const message = `The file is a ${actual} image and would be used as ${source.format}: ${path}`
    faults.add('source.format', new RingsideError('IMAGE_UNSUPPORTED', message, { path, hint: `Choose ${actual} as its format.` }))
  }
  if (mode !== 'convert' && report.encryption !== undefined) {
    faults.add('source.mode', new RingsideError('IMAGE_UNSUPPORTED', `The image is encrypted with a passphrase of its own, and can only be converted: ${path}`, { path, hint: 'Choose to convert it; the machine’s disk is then encrypted with the machine’s own passphrase, or plain.' }))
  }
  if (mode !== 'convert' && found.dependsOn.length > 0) {
    const message = `The image is not whole by itself, it needs ${found.dependsOn.join(', ')}: ${path}`
    faults.add(
      'source.mode',
      new RingsideError('IMAGE_UNSUPPORTED', message, { path, hint: 'Choose to convert it; that joins the parts.' }),
    )
  }
  await checkUse(source, found, faults, context)
  if (mode === 'inPlace') await checkWritable(path, faults)
  else if (mode === 'copy' && report.actualBytes > context.limits.freeDiskBytes) {
    const message = `The copy needs ${bytesInWords(report.actualBytes)}, and where the library lies ${bytesInWords(context.limits.freeDiskBytes)} are free.`
    faults.add('source.path', new RingsideError('DISK_FULL', message, { path, hint: 'Free some space, or use the disk where it is.' }))
  }
  return found
}

/** Two machines that write to one disk destroy what is on it. A file is the same under any name: device and inode tell. */
async function checkUse(source: { path: string; mode: string }, found: Inspection, faults: Faults, context: CheckContext): Promise<void> {
  for (const { definition, paths } of context.machines) {
    for (const disk of definition.disks) {
      if (found.identity === null || (await identityOf(imagePath(paths.folder, disk.image))) !== found.identity) continue
      if (source.mode !== 'inPlace') {
        faults.warn(
          'source.path',
          `This is a disk of the machine “${definition.name}”. Shut that down first, or the copy will be of no use.`,
        )
      } else {
        const message = `The disk is in use by the machine “${definition.name}”: ${source.path}`
        faults.add(
          'source.path',
          new RingsideError('DISK_IN_USE', message, { path: source.path, hint: 'Copy it instead, or delete that machine first.' }),
        )
      }
      return
    }
  }
  const real = await realpath(source.path).catch(() => source.path)
  if (source.mode === 'inPlace' && isInside(real, await realpath(context.libraryFolder).catch(() => context.libraryFolder))) {
    const message = `The file lies in the folder of another machine and would be deleted with it: ${source.path}`
    faults.add('source.path', new RingsideError('DISK_IN_USE', message, { path: source.path, hint: 'Copy it instead.' }))
  }
}

async function identityOf(path: string): Promise<string | null> {
  try {
    await using file = await FileSource.open(path)
    return file.identity
  } catch {
    return null
  }
}

async function checkWritable(path: string, faults: Faults): Promise<void> {
  try {
    await access(path, constants.W_OK)
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return
    faults.add(
      'source.path',
      new RingsideError(
        'FILE_UNREADABLE',
        `You may not write to this disk: ${path}`,
        { path, hint: 'Copy it instead, or change its permissions.' },
        { cause },
      ),
    )
  }
}

/** Looks into a file and notes what speaks against it. A file of a foreign kind has faults only where such a kind is of no use. */
async function inspectFor(
  field: string,
  path: string,
  faults: Faults,
  context: CheckContext,
  kinds: readonly string[],
  { acceptedFiles, passphrase }: { acceptedFiles?: readonly string[] | undefined; passphrase?: string | undefined } = {},
): Promise<Inspection> {
  const found = await context.inspect(path, acceptedFiles)
  for (const error of found.faults) if (!isOpened(error, { passphrase })) faults.add(error.code === 'KEY_REQUIRED' ? 'source.passphrase' : field, error)
  if (kinds.includes(found.report.kind)) {
    for (const issue of found.report.issues) if (issue.severity === 'warning') faults.warn(field, issue.message)
  }
  return found
}

/** That an image is encrypted is no fault where its passphrase is given. */
function isOpened({ code }: RingsideError, { passphrase }: { passphrase?: string | undefined }): boolean {
  return code === 'KEY_REQUIRED' && passphrase !== undefined
}

/** An initial ramdisk may be of any kind, but it has to be there. */
async function checkPlainFile(field: string, path: string, faults: Faults): Promise<void> {
  try {
    await using file = await FileSource.open(path)
    if (file.size === 0)
      faults.add(
        field,
        new RingsideError('FILE_EMPTY', `The file is empty, it has 0 bytes: ${path}`, { path, hint: 'Download or copy it again.' }),
      )
  } catch (error) {
    faults.add(field, fileError(error, path, 'read'))
  }
}

function checkHardware({ hardware }: CreateMachineRequest, qemu: QemuReport, probe: ProbeReport, faults: Faults): void {
  const missing = (field: string, what: string, name: string): void => {
    faults.add(
      `hardware.${field}`,
      new RingsideError('CAPABILITY_MISSING', `The QEMU on this computer has no ${what} “${name}”.`, {
        hint: 'Choose another one, or install the complete QEMU.',
      }),
    )
  }
  const { accelerator, cpuModel, diskBus, nicModel, display } = hardware
  if (diskBus !== undefined && !hasDevice(qemu, diskDevices, diskBus)) missing('diskBus', 'disk bus', diskBus)
  if (nicModel !== undefined && !hasDevice(qemu, nicDevices, nicModel)) missing('nicModel', 'network card', nicModel)
  if (display !== undefined && !hasDevice(qemu, displayDevices, display)) missing('display', 'display', display)
  if (cpuModel !== undefined && !['auto', 'host', 'max'].includes(cpuModel) && !qemu.cpuModels.some((model) => model.name === cpuModel))
    missing('cpuModel', 'processor model', cpuModel)
  if (accelerator !== undefined && accelerator !== 'auto') {
    const report = probe.accelerators.find((candidate) => candidate.name === accelerator)
    if (report?.works !== true)
      faults.warn(
        'hardware.accelerator',
        `${accelerator} does not work on this computer now${report === undefined ? '.' : `: ${report.message}`}`,
      )
  }
}

function checkFirmware(request: CreateMachineRequest, os: OsEntry, qemu: QemuReport, source: Inspection | null, faults: Faults): void {
  const bootable = source?.report.bootable ?? null
  const firmware = chooseFirmware({ request, os, qemu, bootable })
  if (firmware === 'uefi' && !hasUefi(qemu)) {
    const why = request.hardware.firmware === 'uefi' ? 'UEFI was chosen' : `${os.name} needs UEFI`
    faults.add(
      'hardware.firmware',
      new RingsideError('CAPABILITY_MISSING', `${why}, and no UEFI firmware was found on this computer.`, {
        hint: 'Install the package “ovmf” (Debian, Ubuntu) or “edk2-ovmf” (Fedora, Arch).',
      }),
    )
  }
  checkSecurity(request, os, qemu, firmware, faults)
  if (firmware === 'uefi' && boardFor(os) === 'pc') {
    faults.add(
      'hardware.firmware',
      new RingsideError('CAPABILITY_MISSING', `${os.name} gets a board of its time, for which there is no UEFI.`, { hint: 'Choose BIOS.' }),
    )
  }
  if (
    request.source.type === 'cdrom' &&
    bootable !== null &&
    bootable.bios !== bootable.uefi &&
    firmware !== (bootable.uefi ? 'uefi' : 'bios')
  ) {
    faults.warn(
      'hardware.firmware',
      `This disc starts with ${bootable.uefi ? 'UEFI' : 'BIOS'} only, and the machine has ${firmware === 'uefi' ? 'UEFI' : 'BIOS'}.`,
    )
  }
}

/** Disks are encrypted as they are made; what is taken as it is can't be. */
function checkEncryption({ encryption, source, newDiskGiB }: CreateMachineRequest, { probe }: CheckContext, faults: Faults): void {
  if (encryption == null) return
  const say = (message: string): void => { faults.addIssue({ path: 'encryption', message, severity: 'error' }, null) }
  if (source.type === 'disk' && source.mode !== 'convert') say('A disk that is used where it is, or copied as it is, can’t be encrypted. Have it converted to qcow2.')
  else if (source.type !== 'disk' && newDiskGiB === null) say('The machine has no disk that could be encrypted.')
  const why = probe.qemu === null ? null : luksObstacle(probe.qemu)
  if (why !== null) say(why)
}

/** What was asked for has to be there; what the system would get by itself is missed with a word on what to do. */
function checkSecurity({ hardware }: CreateMachineRequest, os: OsEntry, qemu: QemuReport, firmware: 'bios' | 'uefi', faults: Faults): void {
  const noKeys = 'no UEFI firmware with Secure Boot and its keys was found on this computer.'
  const keysHint = 'Install the package “ovmf” (Debian, Ubuntu) or “edk2-ovmf” (Fedora, Arch).'
  if (hardware.secureBoot === 'on' && firmware === 'bios')
    faults.add('hardware.secureBoot', new RingsideError('INVALID_INPUT', 'Secure Boot is a matter of UEFI, and the machine has BIOS.', { hint: 'Choose UEFI.' }))
  else if (hardware.secureBoot === 'on' && !hasSecureBoot(qemu))
    faults.add('hardware.secureBoot', new RingsideError('CAPABILITY_MISSING', `Secure Boot was chosen, and ${noKeys}`, { hint: keysHint }))
  else if (hardware.secureBoot === undefined && os.defaults.secureBoot && firmware === 'uefi' && !hasSecureBoot(qemu))
    faults.warn('hardware.secureBoot', `${os.name} asks for Secure Boot, and ${noKeys} ${keysHint} Otherwise its installer has to be told to go on (press Shift+F10 in it and set LabConfig’s BypassSecureBootCheck).`)
  const missing = tpmObstacle(qemu)
  if (missing === null) return
  if (hardware.tpm === 'on') faults.add('hardware.tpm', new RingsideError('CAPABILITY_MISSING', `A TPM was chosen. ${missing}`, { hint: qemu.tpm?.remedy ?? 'Leave the TPM out.' }))
  else if (hardware.tpm === undefined && os.defaults.tpm)
    faults.warn('hardware.tpm', `${os.name} asks for a TPM 2.0. ${missing} ${qemu.tpm?.remedy ?? ''} Otherwise its installer has to be told to go on (press Shift+F10 in it and set LabConfig’s BypassTPMCheck).`.replaceAll('  ', ' '))
}
