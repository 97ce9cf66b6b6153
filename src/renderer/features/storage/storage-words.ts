import type { DiskWorkKind, ImageUser, StorageImage, StoragePlace } from '@shared/model'
import { formatAgo } from '../../lib/format'

export const formatNames = { qcow2: 'qcow2', raw: 'raw', vmdk: 'VMDK', vdi: 'VDI', vhdx: 'VHDX', vpc: 'VHD' } as const

export const placeNames: Readonly<Record<StoragePlace['kind'], string>> = { library: 'Library', images: 'Images', added: 'Added folder', elsewhere: 'Elsewhere' }

/** What can be done with an image that is there, in the order of the buttons. */
export const workLooks: Readonly<Record<Exclude<DiskWorkKind, 'create'>, { label: string; icon: string; go: string; title: (name: string) => string }>> = {
  grow: { label: 'Grow…', icon: 'i-lucide-move-horizontal', go: 'Grow', title: (name) => `Make “${name}” larger` },
  shrink: { label: 'Shrink…', icon: 'i-lucide-shrink', go: 'Shrink', title: (name) => `Make “${name}” smaller` },
  compact: { label: 'Compact…', icon: 'i-lucide-fold-vertical', go: 'Compact', title: (name) => `Give back what is empty in “${name}”` },
  convert: { label: 'Convert…', icon: 'i-lucide-refresh-ccw-dot', go: 'Convert', title: (name) => `Convert “${name}” to another format` },
  copy: { label: 'Copy…', icon: 'i-lucide-copy', go: 'Copy', title: (name) => `Copy “${name}”` },
  move: { label: 'Move…', icon: 'i-lucide-folder-input', go: 'Move', title: (name) => `Move “${name}” to another place` },
  encrypt: { label: 'Encrypt…', icon: 'i-lucide-lock', go: 'Encrypt', title: (name) => `Encrypt “${name}”` },
  decrypt: { label: 'Decrypt…', icon: 'i-lucide-lock-open', go: 'Decrypt', title: (name) => `Decrypt “${name}”` },
  check: { label: 'Check', icon: 'i-lucide-shield-check', go: 'Check', title: (name) => `Check “${name}”` },
  repair: { label: 'Repair…', icon: 'i-lucide-wrench', go: 'Repair', title: (name) => `Repair “${name}”` },
  checksum: { label: 'Checksum', icon: 'i-lucide-hash', go: 'Compute', title: (name) => `Checksum of “${name}”` },
  delete: { label: 'Delete…', icon: 'i-lucide-trash-2', go: 'Move to trash', title: (name) => `Delete “${name}”?` },
}

/** Who needs it, in a few words. */
export function usersInWords(users: readonly ImageUser[]): string {
  const machines = [...new Set(users.map(({ machineName }) => machineName))]
  const [first] = machines
  if (first === undefined) return 'Nobody'
  return machines.length === 1 ? first : `${first} and ${String(machines.length - 1)} more`
}

/** One line for each who needs it: what they are to it. */
export function userLines(users: readonly ImageUser[]): { key: string; machineId: string; name: string; what: string }[] {
  return [...Map.groupBy(users, ({ machineId }) => machineId)].map(([machineId, of]) => {
    const snapshots = [...new Set(of.filter(({ how }) => how === 'snapshot').map(({ snapshotName }) => snapshotName ?? '?'))]
    const present = of.find(({ how }) => how === 'present')
    const parts = [
      ...(present ? [present.direct ? `its disk “${present.diskId ?? '?'}” now` : 'reads through it now'] : []),
      ...(of.some(({ how }) => how === 'saved') ? ['its saved state'] : []),
      ...(snapshots.length > 0 ? [snapshots.length === 1 ? `snapshot “${snapshots[0] ?? ''}”` : `${String(snapshots.length)} snapshots: ${snapshots.map((name) => `“${name}”`).join(', ')}`] : []),
    ]
    return { key: machineId, machineId, name: of[0]?.machineName ?? '', what: parts.join('; ') }
  })
}

/** What the last check found, in a word or two. */
export function checkInWords({ check, fault }: Pick<StorageImage, 'check' | 'fault'>, now: number): { text: string; icon: string; tone: string; detail: string } {
  if (fault !== null) return { text: 'Faulty', icon: 'i-lucide-circle-alert', tone: 'text-error', detail: `It ${fault}.` }
  if (check === null) return { text: 'Not checked', icon: 'i-lucide-circle-dashed', tone: 'text-muted', detail: 'A check looks for faults in it.' }
  const when = formatAgo(check.at, now)
  const since = check.changedSince ? ' It has changed since.' : ''
  switch (check.result) {
    case 'sound': return { text: check.changedSince ? 'Was sound' : 'Sound', icon: 'i-lucide-circle-check', tone: check.changedSince ? 'text-muted' : 'text-success', detail: `Checked ${when}.${since}` }
    case 'leaks': return { text: 'Loses space', icon: 'i-lucide-triangle-alert', tone: 'text-warning', detail: `Checked ${when}: space is lost in it, data is not.${since}` }
    case 'damaged': return { text: 'Damaged', icon: 'i-lucide-circle-alert', tone: 'text-error', detail: `Checked ${when}: its tables contradict each other.${since}` }
  }
}

export type SortKey = 'name' | 'users' | 'format' | 'virtualBytes' | 'actualBytes'

export function sortImages(images: readonly StorageImage[], key: SortKey, descending: boolean): StorageImage[] {
  const text = (image: StorageImage): string => (key === 'users' ? usersInWords(image.users) : key === 'format' ? (image.format ?? '') : image.name).toLocaleLowerCase()
  const order = (a: StorageImage, b: StorageImage): number => {
    if (key === 'virtualBytes' || key === 'actualBytes') return (a[key] ?? 0) - (b[key] ?? 0)
    return text(a).localeCompare(text(b), undefined, { numeric: true })
  }
  return images.toSorted((a, b) => (descending ? -1 : 1) * order(a, b) || a.path.localeCompare(b.path))
}

/** Layers below others are shown in the pictures of those; a list of them is asked for. */
export function isLayer(image: StorageImage): boolean {
  return image.readers.length > 0 && !image.users.some(({ how, direct }) => how === 'present' && direct)
}

/** Every word of the search stands in what is shown of the image. */
export function matches(image: StorageImage, search: string): boolean {
  const text = [image.path, image.format ?? '', ...image.users.flatMap(({ machineName, snapshotName }) => [machineName, snapshotName ?? ''])].join(' ').toLocaleLowerCase()
  return search.toLocaleLowerCase().split(/\s+/u).every((word) => text.includes(word))
}

/** The image and all that it is based on, from the top down. */
export function chainOf(images: ReadonlyMap<string, StorageImage>, top: StorageImage): (StorageImage | string)[] {
  const chain: (StorageImage | string)[] = []
  const seen = new Set<string>()
  for (let path: string | null = top.path; path !== null && !seen.has(path);) {
    seen.add(path)
    const image: StorageImage | undefined = images.get(path)
    chain.push(image ?? path)
    path = image?.below ?? null
  }
  return chain
}

/** A path in a folder that no known image has: the name itself where it is free, else with the first number that makes it so. */
export function freePath(folder: string, stem: string, ending: string, taken: ReadonlySet<string>): string {
  for (let number = 1; ; number += 1) {
    const path = `${folder}/${stem}${number === 1 ? '' : ` ${String(number)}`}.${ending}`
    if (!taken.has(path)) return path
  }
}
