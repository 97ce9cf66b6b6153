import { basename } from 'node:path'
import { SnapshotId, type Orphan } from '@shared/model'
import { deletedSnapshotName } from '../library'
import type { FolderEntry } from './layers'
import type { Names } from './names'
import type { Survey } from './survey'

/** Files in a machine's folder that belong to nothing, with what they seem to be. Nothing that anybody reads from is among them. */
export function findOrphans(survey: Survey, names: Names): Orphan[] {
  const used = new Set(names.all())
  for (const own of names.all()) {
    const layer = survey.graph.own(own)
    if (layer !== null) for (const below of survey.graph.downFrom(layer.path)) if (below.own !== null) used.add(below.own)
  }
  const isUsed = ({ own, kind }: FolderEntry): boolean => used.has(own) || (kind === 'folder' && [...used].some((file) => file.startsWith(`${own}/`)))
  return [...survey.entries.filter((entry) => !isUsed(entry)), ...survey.strays]
    .map((entry) => ({ path: entry.own, bytes: entry.bytes, about: aboutEntry(entry, survey) }))
    .sort((a, b) => b.bytes - a.bytes || a.path.localeCompare(b.path))
}

function aboutEntry({ own, kind }: FolderEntry, { graph }: Survey): string {
  const [part = '', name = ''] = own.split('/')
  if (part === 'snapshots') return aboutInSnapshots(own, name, kind)
  if (part === 'tpm' && kind === 'folder') return 'The state of a TPM that the machine does not have any more. Keys can be in it, such as those that open a disk encrypted with BitLocker.'
  if (kind === 'other') return 'A link, pipe or socket that nothing of this machine uses.'
  if (kind === 'folder') return 'A folder that nothing of this machine uses.'
  const disk = /^(.+)\.[0-9a-f]{8}\.qcow2$/u.exec(name)?.[1]
  if (disk !== undefined) {
    const what = part === 'firmware' ? 'the UEFI variables' : `disk “${disk}”`
    return `A layer of ${what} that neither the machine nor a snapshot uses; something that was cut off has left it.`
  }
  if (part === 'firmware') return 'A store of UEFI variables that neither the machine nor a snapshot uses.'
  return graph.own(own)?.format === 'qcow2' || /\.(?:raw|img|vmdk|vdi|vhdx?|vpc)$/iu.test(name)
    ? 'A disk that neither the machine nor a snapshot uses: one that was converted, or that was taken out of the machine.'
    : 'A file that neither the machine nor a snapshot uses.'
}

function aboutInSnapshots(own: string, name: string, kind: FolderEntry['kind']): string {
  if (name.startsWith(deletedSnapshotName(''))) return 'What is left of a snapshot that was deleted.'
  if (own.split('/').length > 2) return `A file in the folder of a snapshot that is no part of it (${basename(own)}).`
  return kind === 'folder' && SnapshotId.safeParse(name).success
    ? 'A snapshot that was cut off before it was whole.'
    : 'Something that is no snapshot.'
}
