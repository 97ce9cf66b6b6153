import type { HostInfo, ImageReport, OsEntry } from '@shared/model'
import type { SourceType, WizardForm } from './wizard-form'

/** Fields that follow the operating system until a person changes them. */
export type FollowingField = 'osId' | 'processors' | 'memoryMiB' | 'withDisk' | 'diskGiB' | 'name' | 'fileUse' | 'diskFormat' | 'diskMode'

type HostSize = Pick<HostInfo, 'logicalProcessors' | 'memoryMiB'>

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(value, Math.max(least, most)))
}

/**
 * What a guest of this system is given on this computer. Never less than the system's minimum: a machine that cannot boot helps
 * nobody. Never more than half of the computer's memory while the minimum allows that, so that the host stays usable.
 */
export function sizesFor(os: OsEntry, host: HostSize | null): Pick<WizardForm, 'processors' | 'memoryMiB' | 'diskGiB'> {
  const { defaults, minimum } = os
  return {
    processors: host ? clamp(defaults.processors, minimum.processors, host.logicalProcessors) : defaults.processors,
    memoryMiB: host ? clamp(defaults.memoryMiB, minimum.memoryMiB, Math.floor(host.memoryMiB / 2)) : defaults.memoryMiB,
    diskGiB: Math.max(defaults.diskGiB, minimum.diskGiB),
  }
}

/** Whether a new, empty disk is wanted for such a source unless a person says otherwise. */
export function wantsDisk(sourceType: SourceType, usedAsDisk: boolean): boolean {
  switch (sourceType) {
    case 'file':
      return !usedAsDisk
    case 'kernel':
      return false
    case 'network':
    case 'blank':
      return true
  }
}

/** A name that is free: the wish, or the wish with the first number from 2 on that is. */
export function freeName(wish: string, taken: readonly string[]): string {
  const used = new Set(taken.map((name) => name.toLocaleLowerCase()))
  if (!used.has(wish.toLocaleLowerCase())) return wish
  for (let number = 2; ; number += 1) {
    const candidate = `${wish} ${String(number)}`
    if (!used.has(candidate.toLocaleLowerCase())) return candidate
  }
}

function baseName(path: string): string {
  const file = path.split(/[\\/]/u).pop() ?? ''
  return file.replace(/\.(iso|img|qcow2|raw|vmdk|vdi|vhdx?|vpc)$/iu, '').slice(0, 60)
}

/** The system's name without what only tells it apart in a list: `Debian 12 “bookworm”` is `Debian 12`. */
export function shortOsName(name: string): string {
  return name.split(/,| [“(]| and /u)[0]?.trim() ?? name
}

/** A name for the machine out of what is known: the system, else the file, else a plain word. */
export function suggestName(form: WizardForm, os: OsEntry | null, taken: readonly string[]): string {
  // An entry such as “Linux, any other” names no system, so the file says more.
  const vague = os === null || /\bother\b|^unknown|older than/iu.test(os.name)
  const file = form.sourceType === 'file' ? baseName(form.filePath) : ''
  const known = os === null || /^any\b/iu.test(os.name) ? '' : shortOsName(os.name)
  return freeName((vague ? file || known : known) || 'New machine', taken)
}

/** What the inspection of a file says about the fields that follow it. */
export function fieldsFromReport(report: ImageReport): Partial<Pick<WizardForm, 'fileUse' | 'diskFormat' | 'diskMode' | 'osId'>> {
  const fields: Partial<Pick<WizardForm, 'fileUse' | 'diskFormat' | 'diskMode' | 'osId'>> = {}
  if (report.kind === 'iso') fields.fileUse = 'cdrom'
  if (report.kind === 'disk') fields.fileUse = 'disk'
  if (report.format !== null) {
    fields.diskFormat = report.format
    // Snapshots and discard want qcow2, so another format is best turned into it.
    fields.diskMode = report.format === 'qcow2' ? 'copy' : 'convert'
  }
  // A disk without any mark of a format is a raw one: it is just that.
  if (report.kind === 'unknown' && report.format === null) Object.assign(fields, { diskFormat: 'raw', diskMode: 'convert' } as const)
  if (report.osId !== null) fields.osId = report.osId
  return fields
}
