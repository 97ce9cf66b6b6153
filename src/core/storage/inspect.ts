import { isAbsolute } from 'node:path'
import { type Issue, RingsideError, isRingsideError } from '@shared/errors'
import type { DiskFormat, ImageReport, OsCatalog } from '@shared/model'
import { foreignArchitecture, recogniseOs } from '../catalog'
import { fileError } from '../config'
import { FileSource } from './byte-source'
import { bytesInWords, emptyFile, passphraseNeeded, unsupportedImage } from './image-faults'
import { detectImageFormat } from './image-format'
import type { ImageTool } from './image-tool'
import { readDisc } from './iso9660'
import { diskBootability } from './disk-start'
import { type DiskFacts, examineLuks, examineQcow2, examineVdi, examineVmdk, examineVpc } from './references'

export interface InspectContext {
  /** Images may be based on files in here. */
  readonly libraryFolder: string
  /** And on these files outside, which the person accepted one by one. Links resolved. */
  readonly acceptedFiles?: readonly string[]
  readonly catalog: OsCatalog
  /** null without QEMU: then some sizes stay unknown. */
  readonly imageTool: ImageTool | null
  readonly open?: (path: string) => Promise<FileSource>
}

/** What was found out about a file. `faults` are the errors among the report's issues, typed. */
export interface Inspection {
  readonly report: ImageReport
  readonly faults: readonly RingsideError[]
  /** Device and inode: the same for every name of one file. null when there is none. */
  readonly identity: string | null
  /** Other files that it needs. */
  readonly dependsOn: readonly string[]
}

/** Looks into any file without trusting it. Whatever speaks against using it is in the result; nothing is thrown for it. */
export async function inspectImage(path: string, context: InspectContext): Promise<Inspection> {
  const report: ImageReport = {
    path,
    kind: 'unknown',
    actualBytes: 0,
    virtualBytes: null,
    format: null,
    volumeId: null,
    bootable: null,
    osId: null,
    issues: [],
  }
  const faults: RingsideError[] = []
  const result = { report, faults, identity: null as string | null, dependsOn: [] as string[] }
  try {
    if (!isAbsolute(path))
      throw new RingsideError('INVALID_INPUT', `A path has to be complete, from the root: ${path.slice(0, 200)}`, {
        hint: 'Choose the file in the dialog.',
      })
    await using source = await (context.open ?? FileSource.open)(path)
    result.identity = source.identity
    report.actualBytes = source.allocatedBytes
    if (source.size === 0) throw emptyFile(path)
    await examine(source, report, faults, result.dependsOn, context)
  } catch (error) {
    faults.push(fileError(error, path, 'read'))
  }
  report.issues.unshift(...faults.map(issueOf))
  return result
}

/** An error as the issue that stands beside a field: what is wrong, and what to do. */
export function issueOf(error: RingsideError): Issue {
  return { path: '', message: withHint(error), severity: 'error', code: error.code }
}

/** Message and hint in one text. Most messages end with a path, which is no end of a sentence. */
export function withHint({ message, data }: RingsideError): string {
  if (data.hint === undefined) return message
  return `${message}${/[.!?”]$/u.test(message) ? '' : '.'} ${data.hint}`
}

async function examine(
  source: FileSource,
  report: ImageReport,
  faults: RingsideError[],
  dependsOn: string[],
  context: InspectContext,
): Promise<void> {
  const { path } = report
  const detected = await detectImageFormat(source)
  switch (detected.kind) {
    case 'iso': {
      report.kind = 'iso'
      const disc = await readDisc(source)
      report.virtualBytes = source.size
      report.volumeId = disc.volumeId
      report.bootable = disc.bootable
      report.osId = recogniseOs(context.catalog, disc.volumeId)
      // Tools pad a disc's end or leave the padding out; a whole mebibyte is a download that was cut off.
      if (disc.declaredBytes !== null && disc.declaredBytes > source.size + 1024 * 1024) {
        warn(
          report,
          `The disc is cut short: it says that it has ${bytesInWords(disc.declaredBytes)}, and the file has ${bytesInWords(source.size)}. The download was probably not finished.`,
        )
      }
      const architecture = foreignArchitecture(disc.volumeId)
      if (architecture !== null)
        warn(
          report,
          `This disc is made for ${architecture} processors; an x86 machine will not start from it. Choose the one for x86-64 (amd64).`,
        )
      if (!disc.bootable.bios && !disc.bootable.uefi) warn(report, 'This disc is not bootable; a machine will not start from it.')
      return
    }
    case 'kernel':
      report.kind = 'kernel'
      report.virtualBytes = source.size
      return
    case 'disk': {
      report.kind = 'disk'
      report.format = detected.format
      noteFacts(await diskFacts(source, path, detected.format, context), report, faults, dependsOn)
      if (faults.length > 0) return
      report.bootable = await diskBootability(source, detected.format)
      await askTool(report, faults, detected.format, context)
      return
    }
    case 'luks':
      report.kind = 'disk'
      report.format = 'raw'
      noteFacts(await examineLuks(source, path), report, faults, dependsOn)
      return
    case 'foreign':
      faults.push(unsupportedImage(path, `it is ${detected.name}`, detected.advice))
      return
    case 'unknown':
      report.virtualBytes = source.size
      warn(
        report,
        'Nothing in this file says what it is: no disk image, partition table, file system or disc was found. It can be used as a raw disk if you know that it is one.',
      )
      if (source.size % 512 !== 0) warn(report, `A raw disk has a multiple of 512 bytes, and this file has ${String(source.size)}.`)
  }
}

function noteFacts(facts: DiskFacts, report: ImageReport, faults: RingsideError[], dependsOn: string[]): void {
  faults.push(...facts.faults)
  dependsOn.push(...facts.dependsOn)
  report.virtualBytes = facts.virtualBytes
  if (facts.unaccepted !== undefined) report.unacceptedFile = facts.unaccepted
  if (facts.encrypted !== true) return
  report.encryption = 'luks'
  // Whoever knows the passphrase passes over this one; for everybody else the image is of no use.
  faults.push(passphraseNeeded(report.path))
}

async function diskFacts(source: FileSource, path: string, format: DiskFormat, context: InspectContext): Promise<DiskFacts> {
  switch (format) {
    case 'qcow2':
      return examineQcow2(source, path, { library: context.libraryFolder, accepted: context.acceptedFiles ?? [] })
    case 'vmdk':
      return examineVmdk(source, path)
    case 'vdi':
      return examineVdi(source, path)
    case 'vpc':
      return examineVpc(source, path)
    case 'vhdx':
      return { faults: [], virtualBytes: null, dependsOn: [] }
    case 'raw':
      return { faults: [], virtualBytes: source.size, dependsOn: [] }
  }
}

/** Only an image that was found harmless is given to QEMU's own tool, with its format stated. */
async function askTool(report: ImageReport, faults: RingsideError[], format: DiskFormat, context: InspectContext): Promise<void> {
  if (context.imageTool === null || format === 'raw') return
  try {
    report.virtualBytes = (await context.imageTool.info(report.path, format)).virtualBytes
  } catch (error) {
    if (!isRingsideError(error)) throw error
    if (error.code === 'DISK_IN_USE') {
      warn(report, 'Another program has this image open for writing, perhaps a running machine.')
      return
    }
    faults.push(
      new RingsideError(
        'IMAGE_DAMAGED',
        `QEMU can't read this ${format} image: ${report.path} (${lastWords(error)})`,
        {
          path: report.path,
          hint: 'Download or copy it again, or convert it with the program that made it.',
        },
        { cause: error },
      ),
    )
  }
}

function lastWords(error: RingsideError): string {
  const tail = error.data.process?.stderrTail.trim().split('\n').at(-1) ?? ''
  return tail === '' ? error.message : tail.replace(/^qemu-img: /u, '')
}

function warn(report: ImageReport, message: string): void {
  report.issues.push({ path: '', message, severity: 'warning' })
}
