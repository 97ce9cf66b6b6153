import { resolve } from 'node:path'
import { InvalidArgumentError, Option } from 'commander'
import { RingsideError, invalidInput } from '@shared/errors'
import { DiskFormat, DisplayModel, MainDiskBus, NicModel, withoutPassphrases, type CreateMachineRequest, type HardwareOverrides, type ImageReport, type MachineSource, type OsEntry } from '@shared/model'
import { answerMadeMachine } from '../answer-made-machine'
import { usageError, type Cli, type Run } from '../cli'
import { followJob } from '../follow-job'
import { givenPassphrase, newPassphrase } from '../passphrase'

interface CreateOptions {
  iso?: string
  disk?: string
  diskMode?: 'inPlace' | 'copy' | 'convert'
  diskFormat?: DiskFormat
  acceptFile?: string[]
  kernel?: string
  initrd?: string
  append?: string
  blank?: boolean
  netboot?: boolean
  os?: string
  cpus?: number
  memory?: number
  diskSize?: number | false
  network?: 'user' | 'none'
  accelerator?: 'auto' | 'kvm' | 'hvf' | 'whpx' | 'tcg'
  firmware?: 'bios' | 'uefi'
  secureBoot?: 'on' | 'off'
  tpm?: 'on' | 'off'
  diskBus?: MainDiskBus
  nic?: NicModel
  display?: DisplayModel
  cpuModel?: string
  imagePassphraseFile?: string
  encrypt?: boolean
  decrypt?: boolean
  passphraseFile?: string
  start?: boolean
  check?: boolean
}

export function registerCreate(cli: Cli): void {
  const command = cli
    .command('create <name>', 'Makes a machine. Say where it boots from with one of --iso, --disk, --kernel, --blank, --netboot.')
    .option('--iso <file>', 'boot from a CD or DVD image', filePath)
    .option('--disk <file>', 'boot from an existing disk image', filePath)
    .addOption(new Option('--disk-mode <mode>', 'what becomes of that image: used in place, copied, or converted to qcow2 (unless given: copied when it is qcow2, else converted)').choices(['inPlace', 'copy', 'convert']))
    .addOption(new Option('--disk-format <format>', 'format of that image, where it is not recognised').choices(DiskFormat.options))
    .option('--accept-file <file>', 'a file outside the library that the image is based on and that you trust: it is converted into one disk. May be given again', (path: string, before: string[] = []) => [...before, resolve(filePath(path))])
    .option('--kernel <file>', 'boot a Linux kernel directly', filePath)
    .option('--initrd <file>', 'its initial RAM disk', filePath)
    .option('--append <text>', 'its command line')
    .option('--blank', 'a blank disk and nothing to boot from yet')
    .option('--netboot', 'boot from the network')
    .option('--os <id>', 'operating system, from the catalogue (unless given: recognised from the image)')
    .option('--cpus <number>', 'processors', wholeNumber)
    .option('--memory <size>', 'memory, such as 2G or 512M; a bare number is MiB', memoryMiB)
    .option('--disk-size <size>', 'size of the new disk, such as 40G; a bare number is GiB', diskGiB)
    .option('--no-disk-size', 'make no new disk')
    .addOption(new Option('--network <kind>', 'network card').choices(['user', 'none']).default('user'))
    .addOption(new Option('--accelerator <name>').choices(['auto', 'kvm', 'hvf', 'whpx', 'tcg']))
    .addOption(new Option('--firmware <kind>').choices(['bios', 'uefi']))
    .addOption(new Option('--secure-boot <on|off>', 'start only what is signed, with UEFI (unless given: as the system asks for it)').choices(['on', 'off']))
    .addOption(new Option('--tpm <on|off>', 'a TPM 2.0 (unless given: as the system asks for it)').choices(['on', 'off']))
    .addOption(new Option('--disk-bus <bus>').choices(MainDiskBus.options))
    .addOption(new Option('--nic <model>').choices(NicModel.options))
    .addOption(new Option('--display <model>').choices(DisplayModel.options))
    .option('--cpu-model <name>', 'processor model, as QEMU names it')
    .option('--encrypt', 'encrypt its disks with a passphrase, which is asked for or in --passphrase-file; lost, the data is lost')
    .option('--decrypt', 'of an image that is encrypted: make an unencrypted disk of it')
    .option('--image-passphrase-file <file>', 'read the passphrase of an image that is encrypted from the first line of a file, “-” for standard input, instead of asking')
    .option('--start', 'start it when it is made')
    .option('--check', 'only say what is wrong with the request; make nothing')
  command.action((name: string, options: CreateOptions) =>
    cli.perform(command, async (run) => {
      const request = await requestFrom(run, name, options)
      const issues = await run.client.machine.check(request)
      const faults = issues.filter((issue) => issue.severity === 'error')
      if (faults.length > 0) throw invalidInput(faults)
      for (const warning of issues) run.remark(`ringside: ${warning.message}\n`)
      if (options.check === true) return run.answer({ request: withoutPassphrases(request), issues }, `“${request.name}” can be made.\n`)
      const source = await unlockedSource(run, request.source, options)
      const encryption = options.encrypt === true ? { encryption: { passphrase: await chosenPassphrase(run, name, options), remember: false } } : {}
      await answerMadeMachine(run, await followJob(run, await run.client.machine.create({ ...request, source, ...encryption, startWhenCreated: options.start === true })))
    }),
  )
}

export function registerSample(cli: Cli): void {
  const command = cli
    .command('sample [name]', 'Makes a small machine to try, with nothing to download.')
    .option('--start', 'start it when it is made')
  command.action((name: string | undefined, options: { start?: boolean }) =>
    cli.perform(command, async (run) => {
      const job = await run.client.machine.createSample({ ...(name === undefined ? {} : { name }), startWhenCreated: options.start === true })
      await answerMadeMachine(run, await followJob(run, job))
    }),
  )
}

/** In the place of a passphrase while the request is only looked at. */
const notYetGiven = '*'

async function chosenPassphrase(run: Run, name: string, { passphraseFile }: CreateOptions): Promise<string> {
  const passphrase = await newPassphrase(run, passphraseFile, name)
  if (passphrase === null) throw usageError('error: the passphrase is asked for; say --passphrase-file where nobody can answer')
  return passphrase
}

/** The source with the passphrase of its image, where that has one. */
async function unlockedSource(run: Run, source: MachineSource, { encrypt, decrypt, imagePassphraseFile, passphraseFile }: CreateOptions): Promise<MachineSource> {
  if (source.type !== 'disk' || source.passphrase === undefined) {
    if (decrypt === true || imagePassphraseFile !== undefined) throw usageError('error: only an image that is encrypted goes with --decrypt and --image-passphrase-file')
    return source
  }
  if ((encrypt === true) === (decrypt === true)) throw usageError('error: the image is encrypted; say --encrypt to encrypt the machine’s disk with a passphrase of its own, or --decrypt to have it unencrypted')
  if (encrypt === true && passphraseFile === '-' && imagePassphraseFile === '-') throw usageError('error: standard input holds one of the two passphrases; put the other one into a file')
  const passphrase = await givenPassphrase(run, imagePassphraseFile ?? (encrypt === true ? undefined : passphraseFile), `Passphrase of ${source.path}: `)
  if (passphrase === null) throw usageError('error: the passphrase of the image is asked for; say --image-passphrase-file where nobody can answer')
  return { ...source, passphrase }
}

async function requestFrom(run: Run, name: string, options: CreateOptions): Promise<CreateMachineRequest> {
  const asked = (['iso', 'disk', 'kernel', 'blank', 'netboot'] as const).filter((source) => options[source] !== undefined)
  const [kind] = asked
  if (kind === undefined || asked.length > 1) throw usageError(`error: say where the machine boots from with exactly one of --iso, --disk, --kernel, --blank, --netboot (${asked.length === 0 ? 'none' : asked.map((source) => `--${source}`).join(' and ')} given)`)
  if (kind !== 'kernel' && (options.initrd !== undefined || options.append !== undefined)) throw usageError('error: only --kernel goes with --initrd and --append')
  if (kind !== 'disk' && (options.diskMode !== undefined || options.diskFormat !== undefined || options.acceptFile !== undefined)) throw usageError('error: only --disk goes with --disk-mode, --disk-format and --accept-file')

  const imagePath = options.iso ?? options.disk
  const image = imagePath === undefined ? null : await run.client.storage.inspect({ path: resolve(imagePath), ...acceptedBy(options) })
  const { entries } = await run.client.host.catalog()
  const os = chooseOs(entries, options, image)
  const ownDisk = kind === 'disk' || kind === 'kernel' ? null : os.defaults.diskGiB
  return {
    name,
    osId: os.id,
    source: sourceFrom(kind, options, image),
    processors: options.cpus ?? os.defaults.processors,
    memoryMiB: options.memory ?? os.defaults.memoryMiB,
    newDiskGiB: options.diskSize === false ? null : (options.diskSize ?? ownDisk),
    network: options.network ?? 'user',
    hardware: hardwareFrom(options),
  }
}

const acceptedBy = ({ acceptFile }: CreateOptions): { acceptedFiles?: string[] } => (acceptFile === undefined ? {} : { acceptedFiles: acceptFile })

function sourceFrom(kind: 'iso' | 'disk' | 'kernel' | 'blank' | 'netboot', options: CreateOptions, image: ImageReport | null): MachineSource {
  switch (kind) {
    case 'iso':
      return { type: 'cdrom', path: resolve(options.iso ?? '') }
    case 'disk': {
      const format = options.diskFormat ?? image?.format ?? null
      const faults = (image?.issues ?? []).filter((issue) => issue.severity === 'error')
      // Without a format the request can't be checked as a whole; what is wrong with the file is the answer then.
      if (format === null && faults.length > 0) throw invalidInput(faults.map((fault) => ({ ...fault, path: 'source.path' })))
      if (format === null) throw usageError('error: the format of the disk image is not recognised; name it with --disk-format')
      return { type: 'disk', path: resolve(options.disk ?? ''), format, mode: options.diskMode ?? (format === 'qcow2' && options.acceptFile === undefined && image?.encryption === undefined ? 'copy' : 'convert'), ...acceptedBy(options), ...(image?.encryption === undefined ? {} : { passphrase: notYetGiven }) }
    }
    case 'kernel':
      return { type: 'kernel', kernel: resolve(options.kernel ?? ''), initrd: options.initrd === undefined ? null : resolve(options.initrd), commandLine: options.append ?? '' }
    case 'blank':
      return { type: 'blank' }
    case 'netboot':
      return { type: 'network' }
  }
}

function chooseOs(entries: readonly OsEntry[], options: CreateOptions, image: ImageReport | null): OsEntry {
  const wanted = options.os ?? image?.osId ?? null
  if (wanted !== null) {
    const found = entries.find((entry) => entry.id === wanted)
    if (found) return found
    throw invalidInput([{ path: 'osId', message: `There is no operating system “${wanted}” in the catalogue; there is ${entries.map((entry) => entry.id).join(', ')}.`, received: wanted, severity: 'error' }])
  }
  // Nothing recognised: a kernel is Linux's, anything else could be anything.
  const general = entries.find((entry) => entry.id === (options.kernel === undefined ? 'other' : 'linux')) ?? entries.at(-1)
  if (!general) throw new RingsideError('INTERNAL', 'The catalogue of operating systems is empty.')
  return general
}

function hardwareFrom(options: CreateOptions): HardwareOverrides {
  return {
    ...(options.accelerator === undefined ? {} : { accelerator: options.accelerator }),
    ...(options.firmware === undefined ? {} : { firmware: options.firmware }),
    ...(options.secureBoot === undefined ? {} : { secureBoot: options.secureBoot }),
    ...(options.tpm === undefined ? {} : { tpm: options.tpm }),
    ...(options.diskBus === undefined ? {} : { diskBus: options.diskBus }),
    ...(options.nic === undefined ? {} : { nicModel: options.nic }),
    ...(options.display === undefined ? {} : { display: options.display }),
    ...(options.cpuModel === undefined ? {} : { cpuModel: options.cpuModel }),
  }
}

function filePath(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('It is the path of a file.')
  return text
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/u.test(text)) throw new InvalidArgumentError('It is a whole number.')
  return Number(text)
}

/** MiB in a bare number's place. */
export function memoryMiB(text: string): number {
  const mebibytes = sizeIn(text, 2 ** 20, 2 ** 20)
  if (!Number.isInteger(mebibytes)) throw new InvalidArgumentError('Memory is a whole number of MiB.')
  return mebibytes
}

/** GiB in a bare number's place. */
export function diskGiB(text: string): number {
  return sizeIn(text, 2 ** 30, 2 ** 30)
}

/** `40G`, `512M`, `1.5GiB`: binary units, whether the letter i is written or not. */
function sizeIn(text: string, bareUnit: number, resultUnit: number): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([kmgt])(?:i?b)?)?$/iu.exec(text.trim())
  if (!match) throw new InvalidArgumentError('It is a size such as 512M or 40G.')
  const unit = match[2] === undefined ? bareUnit : 1024 ** ('kmgt'.indexOf(match[2].toLowerCase()) + 1)
  return (Number(match[1]) * unit) / resultUnit
}
