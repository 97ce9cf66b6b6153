import { machineNameMaxLength, snapshotNameMaxLength } from '@shared/model'

/** The name itself where it is free, else with the first number that makes it so: `web`, `web 2`, `web 3`. Cut where it would be too long. */
export function freeName(wanted: string, taken: readonly string[], maxLength = machineNameMaxLength): string {
  const used = new Set(taken.map((name) => name.toLocaleLowerCase()))
  for (let number = 1; ; number += 1) {
    const end = number === 1 ? '' : ` ${String(number)}`
    const name = `${cut(wanted, maxLength - end.length)}${end}`
    if (!used.has(name.toLocaleLowerCase())) return name
  }
}

/** `Snapshot 1`, `Snapshot 2`: the first number that is free. */
export function nextSnapshotName(taken: readonly string[]): string {
  for (let number = taken.length + 1; ; number += 1) {
    const name = `Snapshot ${String(number)}`
    if (!taken.some((other) => other.toLocaleLowerCase() === name.toLocaleLowerCase())) return name
  }
}

/** As much of a name as another one quotes. */
const quotedLength = 40

/** What the present is called when it is kept before a way back. */
export function keptName(target: string, taken: readonly string[]): string {
  return freeName(`Before reverting to ${cut(target, quotedLength)}`, taken, snapshotNameMaxLength)
}

/** A clone of `web-01` is `web-02`, the next that is free; one of `Debian 12`, whose number says something else, is `Debian 12 clone`. */
export function cloneName(original: string, taken: readonly string[]): string {
  const numbered = /^(.*[^0-9])(0[0-9]*)$/u.exec(original)
  if (!numbered) return freeName(`${cut(original, machineNameMaxLength - ' clone'.length)} clone`, taken)
  const [, stem = '', digits = ''] = numbered
  for (let number = Number(digits) + 1; ; number += 1) {
    const name = `${stem}${String(number).padStart(digits.length, '0')}`
    if (!taken.some((other) => other.toLocaleLowerCase() === name.toLocaleLowerCase())) return name
  }
}

/** A machine that branches off a snapshot bears both names. A snapshot's may have slashes, a machine's may not. */
export function branchName(machine: string, snapshot: string, taken: readonly string[]): string {
  return freeName(`${machine} ${snapshot.replaceAll(/[/\\]/gu, '-')}`, taken)
}

/** At most so many UTF-16 units, no character cut in two. */
function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text
  let short = ''
  for (const character of text) {
    if (short.length + character.length > maxLength - 1) break
    short += character
  }
  return `${short.trimEnd()}…`
}
