import type { OsCatalog, OsEntry } from '@shared/model'

/** The parts of volume identifiers that name a processor that QEMU's x86 machines are not, as whole words. */
const foreignArchitectures =
  /(?:^|[^a-z0-9])(arm64|aarch64|a64fre|armhf|armel|armv7|armhfp|ppc|ppc64|ppc64el|ppc64le|p64el|powerpc[a-z0-9]*|s390x?|riscv(?:64)?|loongarch64|ia64|mips[a-z0-9]*|sparc[a-z0-9]*|alpha|hppa|m68k)(?:$|[^a-z0-9])/iu

/** The processor that a disc is for, when it says so and it is none that can be run; null otherwise. */
export function foreignArchitecture(volumeId: string | null): string | null {
  const found = foreignArchitectures.exec(volumeId ?? '')?.[1]
  return found === undefined ? null : found.toLowerCase() === 'a64fre' ? 'arm64' : found
}

/** The operating system whose installation disc has this volume identifier: the first entry that matches. null: not recognised. */
export function recogniseOs(catalog: OsCatalog, volumeId: string | null): string | null {
  if (volumeId === null || volumeId === '' || foreignArchitecture(volumeId) !== null) return null
  return catalog.entries.find((entry) => patternsOf(entry).some((pattern) => pattern.test(volumeId)))?.id ?? null
}

const compiled = new WeakMap<OsEntry, RegExp[]>()

function patternsOf(entry: OsEntry): RegExp[] {
  const known = compiled.get(entry)
  if (known !== undefined) return known
  const patterns = entry.volumeIds.map((source) => new RegExp(source, 'u'))
  compiled.set(entry, patterns)
  return patterns
}
