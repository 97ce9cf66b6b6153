import { resolve } from 'node:path'
import { Option, type Command } from 'commander'
import { checksumIn, DiskFormat, withoutImagePassphrase, type DiskWork, type Job, type OldFile, type StorageOverview } from '@shared/model'
import { ExitWith, usageError, type Cli, type Run } from '../cli'
import { agrees, requirePerson } from '../confirm'
import { type DiskSize, diskSize } from '../disk-size'
import { exitCodes } from '../exit-codes'
import { imagePathOf } from '../find-image'
import { followJob, remarkNotes } from '../follow-job'
import { sizeInWords, table } from '../output'
import { givenPassphrase, passphraseHint } from '../passphrase'

type Group = Pick<Cli, 'command'>

/** `ringside disk …` */
export function registerDisk(cli: Cli): void {
  const group = cli.group('disk', 'Disk images: who uses them, and make, resize, convert, compact, check, copy, move, delete.')
  registerList(cli, group)
  registerCreate(cli, group)
  registerResize(cli, group, 'grow', 'Makes a disk larger, also while its machine runs. Partitions and file systems stay as they are; the guest makes them larger.')
  registerResize(cli, group, 'shrink', 'Makes a disk smaller, if it is proved that nothing is lost by it. Without a size it only tells how small it can become.')
  registerConvert(cli, group)
  registerCompact(cli, group)
  registerCheck(cli, group)
  registerCopy(cli, group)
  registerMove(cli, group)
  registerEncrypt(cli, group, 'encrypt', 'Encrypts a disk of a machine that is off with the machine’s disk key. It is written anew, compared, and takes the old one’s place.')
  registerEncrypt(cli, group, 'decrypt', 'Writes an encrypted disk of a machine that is off anew without encryption.')
  registerChecksum(cli, group)
  registerDelete(cli, group)
  registerPlace(cli, group, 'add-place', 'Lists the images of a folder too, from now on.')
  registerPlace(cli, group, 'forget-place', 'Takes a folder that was added out of the list. Its files stay as they are.')
}

const imageHelp = 'An image is named by its path, or as machine:disk for a disk of a machine as it is now.'
const sourceFormat = (): Option => new Option('--source-format <format>', 'format of the image, where neither a machine nor the file says it').choices(DiskFormat.options)

function registerList(cli: Cli, group: Group): void {
  const command = group
    .command('list', 'Where images lie, how much room there is, and every image with who needs it.')
    .option('--layers', 'the layers of snapshots too')
    .addHelpText('after', '\nExample:\n  ringside disk list --layers')
  command.action((options: { layers?: boolean }) =>
    cli.perform(command, async (run) => {
      const overview = await run.client.storage.overview()
      run.answer(overview, listInWords(overview, options.layers === true))
      const files = overview.orphans.reduce((sum, entry) => sum + entry.files.length, 0)
      if (files > 0) run.remark(`${String(files)} ${files === 1 ? 'file' : 'files'} in machines’ folders belong to nothing; \`ringside snapshot orphans <machine>\` lists them.\n`)
    }),
  )
}

function registerCreate(cli: Cli, group: Group): void {
  const command = group
    .command('create <path> <size>', 'Makes an empty disk image.')
    .addOption(new Option('--format <format>', 'its format').choices(['qcow2', 'raw']).default('qcow2'))
    .option('--preallocated', 'take all of its room at once')
    .addHelpText('after', '\nExamples:\n  ringside disk create ./data.qcow2 40G\n  ringside disk create ./data.raw 8G --format raw --preallocated')
  command.action((path: string, size: string, options: { format: 'qcow2' | 'raw'; preallocated?: boolean }) => {
    const { bytes } = sizeArgument(command, size)
    return perform(cli, command, () => ({ kind: 'create', path: resolve(path), format: options.format, sizeBytes: bytes, preallocated: options.preallocated === true }), 'Made.')
  })
}

function registerResize(cli: Cli, group: Group, kind: 'grow' | 'shrink', description: string): void {
  const command = group.command(`${kind} <image> ${kind === 'grow' ? '<size>' : '[size]'}`, description).addHelpText('after', `\n${imageHelp}\n\nExample:\n  ringside disk ${kind} web-01:disk0 ${kind === 'grow' ? '+20G' : '10G'}`)
  if (kind === 'grow') command.option('--preallocated', 'what is new takes its room at once; of a disk of no machine that runs')
  command.action((image: string, size: string | undefined, { preallocated = false }: { preallocated?: boolean }) => {
    if (size === undefined) return tellSmallest(cli, command, image)
    const wanted = sizeArgument(command, size)
    return perform(cli, command, async (path, run) => {
      const sizeBytes = wanted.isMore ? wanted.bytes + (await virtualBytes(run, path)) : wanted.bytes
      return kind === 'grow' ? { kind, path, sizeBytes, preallocated } : { kind, path, sizeBytes }
    }, kind === 'grow' ? 'The disk is larger now.' : 'The disk is smaller now.', image)
  })
}

function tellSmallest(cli: Cli, command: Command, image: string): Promise<void> {
  return cli.perform(command, async (run) => {
    const path = imagePathOf(await run.client.storage.overview(), image)
    const { sizeBytes, why } = await run.client.storage.smallestSize({ path }, { signal: run.signal })
    run.answer({ path, sizeBytes, why }, sizeBytes === null ? `${why}\n` : `It can become as small as ${sizeInWords(sizeBytes)} (${String(sizeBytes)} bytes). ${why}\n`)
  })
}

function registerConvert(cli: Cli, group: Group): void {
  const command = group
    .command('convert <image> <new-file>', 'Writes an image to a new file in another format. It stands alone; the image stays.')
    .addOption(new Option('--format <format>', 'format of the new file').choices(DiskFormat.options).makeOptionMandatory())
    .addOption(sourceFormat())
    .option('--accept-file <file>', 'a file elsewhere that the image is based on and that you trust. May be given again', (path: string, before: string[] = []) => [...before, resolve(path)])
    .option('--decrypt', 'of an image from elsewhere that is encrypted: write the new file unencrypted')
    .addHelpText('after', `\n${imageHelp}\nAn image from elsewhere that is encrypted has its passphrase asked for, or read from --passphrase-file. The new file is a qcow2\nthat is encrypted with the same one, unless --decrypt is said.\n\nExamples:\n  ringside disk convert old.vmdk new.qcow2 --format qcow2\n  ringside disk convert theirs.qcow2 plain.qcow2 --format qcow2 --decrypt`)
  command.action((image: string, to: string, { acceptFile, decrypt, passphraseFile, ...options }: ConvertOptions) =>
    perform(cli, command, async (path, run) => {
      const accepted = acceptFile === undefined ? {} : { acceptedFiles: acceptFile }
      return { kind: 'convert', path, to: resolve(to), format: options.format, ...(options.sourceFormat === undefined ? {} : { sourceFormat: options.sourceFormat }), ...accepted, ...(await foreignEncryption(run, path, { decrypt: decrypt === true, passphraseFile, ...accepted })) }
    }, 'Converted.', image))
}

interface ConvertOptions { format: DiskFormat; sourceFormat?: DiskFormat; acceptFile?: string[]; decrypt?: boolean; passphraseFile?: string }

/** What opens an image that is encrypted and no machine's. */
async function foreignEncryption(run: Run, path: string, { decrypt, passphraseFile, ...accepted }: { decrypt: boolean; passphraseFile: string | undefined; acceptedFiles?: string[] }): Promise<Pick<Extract<DiskWork, { kind: 'convert' }>, 'encryption'>> {
  const known = (await run.client.storage.overview()).images.find((image) => image.path === path)
  const report = known?.owner == null && (known?.encrypted ?? true) ? await run.client.storage.inspect({ path, ...accepted }) : null
  if (report?.encryption === undefined) {
    // What can't be used at all is refused with its own reason.
    const isUsable = report?.issues.every(({ severity }) => severity !== 'error') ?? true
    if (decrypt && isUsable) throw usageError('error: only an image from elsewhere that is encrypted goes with --decrypt; a machine’s disk is decrypted by “ringside disk decrypt”')
    return {}
  }
  const passphrase = await givenPassphrase(run, passphraseFile, `Passphrase of ${path}: `)
  if (passphrase === null) throw usageError(`error: the passphrase of the image is asked for. ${passphraseHint}`)
  return { encryption: { passphrase, keep: !decrypt } }
}

function registerCopy(cli: Cli, group: Group): void {
  const command = group
    .command('copy <image> <new-file>', 'Writes an image to a new file in the same format. It stands alone, also where the image is a layer of snapshots.')
    .addOption(sourceFormat())
    .addHelpText('after', `\n${imageHelp}\n\nExample:\n  ringside disk copy web-01:disk0 /mnt/usb/web-01.qcow2`)
  command.action((image: string, to: string, options: { sourceFormat?: DiskFormat }) => perform(cli, command, (path) => ({ kind: 'copy', path, to: resolve(to), ...options }), 'Copied.', image))
}

function registerMove(cli: Cli, group: Group): void {
  const command = group
    .command('move <image> [to]', 'Moves a disk of a machine to another folder or file, also while the machine runs. The machine goes on with it there, and the old file is removed.')
    .option('--into-machine', 'move it into the machine’s own folder')
    .addOption(new Option('--format <format>', 'format of the new file, where it is to be another').choices(['qcow2', 'raw']))
    .addHelpText('after', `\n${imageHelp}\n\nExamples:\n  ringside disk move web-01:disk0 /mnt/fast\n  ringside disk move web-01:disk0 --into-machine`)
  command.action((image: string, to: string | undefined, { intoMachine, ...options }: { intoMachine?: boolean; format?: 'qcow2' | 'raw' }) => {
    if ((to === undefined) !== (intoMachine === true)) command.error('error: say where it goes: a folder or a file, or --into-machine')
    return perform(cli, command, (path) => ({ kind: 'move', path, to: to === undefined ? null : resolve(to), ...options }), 'Moved.', image)
  })
}

function registerEncrypt(cli: Cli, group: Group, kind: 'encrypt' | 'decrypt', description: string): void {
  const command = group
    .command(`${kind} <image>`, description)
    .addOption(new Option('--original <what>', 'what becomes of the old file').choices(['trash', 'keep', 'delete']).default('trash'))
    .addHelpText('after', `\n${imageHelp}${kind === 'encrypt' ? '\nThe machine has a passphrase (ringside encryption passphrase). The old file, in the trash too, holds everything unencrypted.' : ''}\n\nExample:\n  ringside disk ${kind} web-01:disk0`)
  command.action((image: string, options: { original: OldFile }) => perform(cli, command, (path) => ({ kind, path, ...options }), kind === 'encrypt' ? 'Encrypted.' : 'Decrypted.', image))
}

function registerCompact(cli: Cli, group: Group): void {
  const command = group.command('compact <image>', 'Gives back what is empty in a qcow2 image. Its machine is off meanwhile.').addHelpText('after', `\n${imageHelp}\n\nExample:\n  ringside disk compact web-01:disk0`)
  command.action((image: string) => perform(cli, command, (path) => ({ kind: 'compact', path }), 'Compacted.', image))
}

function registerCheck(cli: Cli, group: Group): void {
  const command = group
    .command('check <image>', 'Looks whether an image is sound. An image that is damaged ends it with 1.')
    .addOption(new Option('--repair <what>', 'mend it: lost space alone, or all; then a copy of the file is kept first').choices(['leaks', 'all']))
    .addOption(sourceFormat())
    .addHelpText('after', `\n${imageHelp}\n\nExamples:\n  ringside disk check web-01:disk0\n  ringside disk check web-01:disk0 --repair leaks`)
  command.action((image: string, { repair, ...options }: { repair?: 'leaks' | 'all'; sourceFormat?: DiskFormat }) =>
    perform(cli, command, (path) => (repair === undefined ? { kind: 'check', path, ...options } : { kind: 'repair', path, what: repair }), 'Checked.', image, (job) => {
      if (job.notes.some((note) => note.startsWith('It is damaged'))) throw new ExitWith(exitCodes.failed)
    }))
}

function registerChecksum(cli: Cli, group: Group): void {
  const command = group
    .command('checksum <image>', 'SHA-256 of what the guest sees, whatever the format.')
    .addOption(sourceFormat())
    .addHelpText('after', `\n${imageHelp}\n\nExample:\n  ringside disk checksum web-01:disk0`)
  command.action((image: string, options: { sourceFormat?: DiskFormat }) =>
    cli.perform(command, async (run) => {
      const path = imagePathOf(await run.client.storage.overview(), image)
      const { notes } = await followJob(run, await run.client.storage.work({ kind: 'checksum', path, ...options }))
      const sha256 = checksumIn(notes) ?? ''
      run.answer({ path, sha256 }, `${sha256}  ${path}\n`)
    }),
  )
}

function registerDelete(cli: Cli, group: Group): void {
  const command = group
    .command('delete <path>', 'Moves an image that nobody needs to the trash.')
    .option('--permanently', 'delete for good, without the trash')
    .option('--yes', 'do not ask')
    .addHelpText('after', '\nExample:\n  ringside disk delete ./old.qcow2')
  command.action((image: string, options: { permanently?: boolean; yes?: boolean }) =>
    cli.perform(command, async (run) => {
      const work = { kind: 'delete' as const, path: resolve(image), permanently: options.permanently === true }
      if (options.yes !== true) {
        requirePerson(run, 'deleting')
        run.remark(`${work.path}\n`)
        if (!(await agrees(run, work.permanently ? 'Delete for good? [y/N] ' : 'Move to the trash? [y/N] '))) return run.answer({ ...work, deleted: false }, 'Nothing was deleted.\n')
      }
      await followJob(run, await run.client.storage.work(work))
      run.answer({ ...work, deleted: true }, work.permanently ? 'Deleted.\n' : 'Moved to the trash.\n')
    }),
  )
}

function registerPlace(cli: Cli, group: Group, name: 'add-place' | 'forget-place', description: string): void {
  const command = group.command(`${name} <folder>`, description).addHelpText('after', `\nExample:\n  ringside disk ${name} /media/ada/stick`)
  command.action((folder: string) =>
    cli.perform(command, async (run) => {
      const path = resolve(folder)
      const { places } = name === 'add-place' ? await run.client.storage.addPlace({ path }) : await run.client.storage.forgetPlace({ path })
      run.answer({ places }, name === 'add-place' ? 'Its images are listed now.\n' : 'It is not listed any more. Its files are as they were.\n')
    }),
  )
}

/** Says what will happen, does it and tells how it ended. */
function perform(cli: Cli, command: Command, work: (path: string, run: Run) => DiskWork | Promise<DiskWork>, done: string, image?: string, after: (job: Job) => void = () => undefined): Promise<void> {
  return cli.perform(command, async (run) => {
    const path = image === undefined ? '' : imagePathOf(await run.client.storage.overview(), image)
    const asked = await work(path, run)
    const plan = await run.client.storage.planWork(withoutImagePassphrase(asked))
    if (plan.issues.length === 0) run.remark(`${plan.steps.join('\n')}\n${plan.neededBytes > 0 ? `Up to ${sizeInWords(plan.neededBytes)} may be needed.\n` : ''}`)
    const job = await followJob(run, await run.client.storage.work(asked))
    run.answer({ ...withoutSecrets(asked), notes: job.notes }, `${done}\n`)
    remarkNotes(run, job.notes)
    after(job)
  })
}

function withoutSecrets(work: DiskWork): object {
  if (work.kind !== 'convert' || work.encryption === undefined) return work
  return { ...work, encryption: { keep: work.encryption.keep } }
}

async function virtualBytes(run: Run, path: string): Promise<number> {
  const { images } = await run.client.storage.overview()
  return images.find((image) => image.path === path)?.virtualBytes ?? (await run.client.storage.inspect({ path })).virtualBytes ?? 0
}

function sizeArgument(command: Command, text: string): DiskSize {
  try {
    return diskSize(text)
  } catch (error) {
    command.error(`error: ${(error as Error).message}`)
  }
}

function listInWords({ places, images }: StorageOverview, layers: boolean): string {
  const free = places.map(({ path, kind, fault, removable, freeBytes, capacityBytes, imageBytes }) => [
    path, fault === null ? sizeInWords(imageBytes) : kind === 'added' ? 'away' : '?', freeBytes === null ? '?' : sizeInWords(freeBytes), capacityBytes === null ? '?' : `${sizeInWords(capacityBytes)}${removable === true ? ', removable' : ''}`,
  ])
  const shown = images.filter((image) => layers || image.readers.length === 0 || image.users.some(({ how, direct }) => how === 'present' && direct))
  const rows = shown.map((image) => [
    [...new Set(image.users.map(({ machineName, diskId, how }) => (how === 'present' && diskId !== null ? `${machineName}:${diskId}` : machineName)))].slice(0, 3).join(', ') || '-',
    image.format ?? '?', image.virtualBytes === null ? '?' : sizeInWords(image.virtualBytes), sizeInWords(image.actualBytes), image.fault !== null ? 'faulty' : (image.check?.result ?? '-'), image.path.replaceAll('\n', '\\n'),
  ])
  return `${table(['PLACE', 'IMAGES', 'FREE', 'DRIVE'], free)}\n${rows.length === 0 ? 'There are no images.\n' : table(['NEEDED BY', 'FORMAT', 'SIZE', 'ON DRIVE', 'STATE', 'PATH'], rows)}`
}
