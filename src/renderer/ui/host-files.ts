import type { FileFilterName } from '@shared/contract'

/** What a file dialog offers for each purpose. `extensions` null: any file. Kernels have no extension that could be relied on. */
export const fileFilters: Readonly<Record<FileFilterName, { label: string; extensions: readonly string[] | null }>> = {
  iso: { label: 'disc images', extensions: ['iso', 'img'] },
  disk: { label: 'disc and disk images', extensions: ['iso', 'img', 'qcow2', 'qcow', 'raw', 'vmdk', 'vdi', 'vhd', 'vhdx', 'vpc', 'ima', 'dsk', 'bin'] },
  kernel: { label: 'kernels', extensions: null },
  folder: { label: 'folders', extensions: [] },
  any: { label: 'files', extensions: null },
}

export function matchesFilter(name: string, filter: FileFilterName): boolean {
  const { extensions } = fileFilters[filter]
  if (extensions === null) return true
  const dot = name.lastIndexOf('.')
  return dot > 0 && extensions.includes(name.slice(dot + 1).toLowerCase())
}

/** The folders above a path, outermost first, for both kinds of separators. */
export function crumbsOf(path: string): { name: string; path: string }[] {
  const separator = /^[A-Za-z]:|\\/u.test(path) ? '\\' : '/'
  const parts = path.split(/[\\/]/u).filter((part) => part !== '')
  const crumbs = separator === '/' ? [{ name: '/', path: '/' }] : []
  let at = ''
  parts.forEach((part, index) => {
    at = separator === '/' ? `${at}/${part}` : index === 0 ? `${part}\\` : `${at.replace(/\\$/u, '')}\\${part}`
    crumbs.push({ name: part, path: at })
  })
  return crumbs
}
