import { RingsideError } from '@shared/errors'
import { consolePortCount, type MachineDefinition } from '@shared/model'
import { isFirstNvram } from '../../../library/paths'
import type { LaunchPlan } from '../../engine'
import { buildArgv, type ArgvInput, type BuiltArgv, type ImageFacts } from '../argv'
import { checkFile, checkImage } from '../image/check-image'
import { inheritedKey } from '../process/qemu-process'
import { chooseAudioDriver } from './audio-driver'
import { checkPassedDevices, checkVsock } from './check-host-devices'
import { checkSharedFolders } from './check-shared-folders'
import type { RunEndpoints } from './endpoints'
import { hasNvram } from './nvram'
import { requireTpmState } from '../tpm'
import { imagePath, type RunFiles } from './run-files'

/** What a command line that is only shown has in place of the file with the disk key. */
const shownKeyFile = `/dev/fd/${String(inheritedKey)}`

/**
 * Looks at every file of the machine, then builds its command line. Throws for the first that can't be used.
 * @param diskKey the file that QEMU reads the key of encrypted disks from
 * @param virtiofs sockets of the folders that other programs serve, by their ids
 */
export async function prepareArgv(plan: LaunchPlan, files: RunFiles, run: RunEndpoints, virtiofs: ArgvInput['virtiofs'], diskKey = shownKeyFile): Promise<BuiltArgv> {
  const definition = runningDefinition(plan)
  const [images, nvram, kernel, audioDriver] = await Promise.all([
    checkImages(definition, plan), checkNvram(definition, plan), checkKernel(definition, plan.machineFolder), chooseAudioDriver(definition, plan.qemu), checkSharedFolders(definition, plan), checkVsock(definition), checkTpm(definition, plan), checkPassedDevices(definition),
  ])
  return buildArgv(argvInput(plan, files, run, { images, nvram, kernel, audioDriver, virtiofs }, diskKey))
}

/** The definition that the guest sees: saved state is loaded into the machine that it was saved from. */
export function runningDefinition({ definition, restore }: Pick<LaunchPlan, 'definition' | 'restore'>): MachineDefinition {
  return restore === null ? definition : { ...restore.definition, name: definition.name }
}

export function argvInput(plan: LaunchPlan, files: RunFiles, run: RunEndpoints, found: Pick<ArgvInput, 'images' | 'nvram' | 'kernel' | 'audioDriver' | 'virtiofs'>, diskKey = shownKeyFile): ArgvInput {
  const definition = runningDefinition(plan)
  return {
    definition,
    qemu: plan.qemu,
    accelerator: plan.restore?.accelerator ?? plan.accelerator,
    platform: process.platform,
    ...found,
    files: {
      pid: files.runtime.pid,
      serialLogs: Array.from({ length: consolePortCount(definition) }, (_, index) => files.machine.serialLog(index)),
      tlsFolder: run.tlsFolder,
      diskKey,
      spareShare: files.runtime.share,
    },
    endpoints: run.endpoints,
    incoming: plan.restore !== null,
  }
}

async function checkImages(definition: MachineDefinition, plan: LaunchPlan): Promise<Record<string, ImageFacts>> {
  const drives = [
    ...definition.disks.map((disk) => ({ ...disk, label: `disk “${disk.id}”` })),
    ...definition.cdroms.map((cdrom) => ({ ...cdrom, format: 'raw' as const, encrypted: false, readOnly: true, label: `CD image in “${cdrom.id}”` })),
  ]
  const checked = await Promise.all(drives.map(async ({ id, image, format, encrypted, readOnly, label }) => {
    if (image === null) return null
    return [id, await checkImage({ path: imagePath(plan.machineFolder, image), format, readOnly, label, encrypted }, plan)] as const
  }))
  return Object.fromEntries(checked.filter((entry) => entry !== null))
}

async function checkNvram({ firmware }: MachineDefinition, plan: LaunchPlan): Promise<ImageFacts | null> {
  if (firmware.type !== 'uefi') return null
  const path = imagePath(plan.machineFolder, { kind: 'own', path: firmware.nvram })
  // Made by the first start.
  if (isFirstNvram(firmware.nvram) && !(await hasNvram(path))) return { path, driver: 'file', directIo: false, backing: [] }
  return checkImage({ path, format: 'qcow2', readOnly: false, label: 'store of UEFI variables' }, plan)
}

async function checkKernel({ boot }: MachineDefinition, machineFolder: string): Promise<ArgvInput['kernel']> {
  if (boot.kernel === null) return null
  const kernel = imagePath(machineFolder, boot.kernel.kernel)
  const initrd = boot.kernel.initrd === null ? null : imagePath(machineFolder, boot.kernel.initrd)
  await checkFile({ path: kernel, readOnly: true, label: 'kernel' })
  if (initrd !== null) await checkFile({ path: initrd, readOnly: true, label: 'initial ramdisk' })
  return { kernel, initrd }
}

async function checkTpm({ tpm }: MachineDefinition, { machineFolder, qemu }: LaunchPlan): Promise<void> {
  if (tpm === null) return
  requireTpmProgram(qemu)
  await requireTpmState(imagePath(machineFolder, { kind: 'own', path: tpm.state }))
}

/** What plays a machine's TPM here. Throws `CAPABILITY_MISSING` where nothing does. */
export function requireTpmProgram({ tpm }: Pick<LaunchPlan['qemu'], 'tpm'>): string {
  if (tpm !== undefined && tpm.program !== null) return tpm.program.path
  throw new RingsideError('CAPABILITY_MISSING', `The machine has a TPM. ${tpm?.obstacle ?? 'The program that plays it, swtpm, was not looked for.'}`, {
    hint: tpm?.remedy ?? 'Take the TPM out of the machine’s hardware; its state is kept.',
  })
}
