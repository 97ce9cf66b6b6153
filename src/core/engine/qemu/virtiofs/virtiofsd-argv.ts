/** A virtiofsd as it answered. The one in C came with QEMU until version 7.2; the one in Rust is its successor, and knows other options. */
export interface Virtiofsd {
  path: string
  dialect: 'rust' | 'c'
  /** What its prison is made of. None is no choice: a guest would have this user’s files. */
  sandbox: Sandbox
  /** It can keep guests from writing. */
  readOnly: boolean
  /** It can make all users of a guest into one of this computer. */
  translatesIds: boolean
}

export const sandboxes = ['namespace', 'chroot'] as const
export type Sandbox = (typeof sandboxes)[number]

export interface Share { folder: string; socket: string; readOnly: boolean }

/** Who runs it, as the system numbers users; one that is not root may only write as itself. */
export interface Owner { uid: number; gid: number }

/** All there are, but for the last: that means “no change” [chown(2)]. */
const everybody = 4_294_967_295

/** Its command line, without the program. Pure. */
export function virtiofsdArguments({ dialect, sandbox, translatesIds }: Pick<Virtiofsd, 'dialect' | 'sandbox' | 'translatesIds'>, { folder, socket, readOnly }: Share, owner: Owner): string[] {
  // A comma would end the option; there is no way to write one.
  if (dialect === 'c') return [socketArgument(socket), '-o', `source=${folder}`, '-o', `sandbox=${sandbox}`, '-o', 'cache=auto', '-o', 'log_level=info', '-f']
  const single = owner.uid !== 0 && translatesIds
  return [
    socketArgument(socket), `--shared-dir=${folder}`, `--sandbox=${sandbox}`, '--cache=auto', '--log-level=info',
    ...(readOnly ? ['--readonly'] : []),
    // Only root can make files for others: what anybody in the guest writes belongs to the person who shares the folder.
    ...(single ? [`--translate-uid=squash-guest:0:${String(owner.uid)}:${String(everybody)}`, `--translate-gid=squash-guest:0:${String(owner.gid)}:${String(everybody)}`] : []),
  ]
}

/** By this one process is told from all others. */
export function socketArgument(socket: string): string {
  return `--socket-path=${socket}`
}

/** Why this one can’t share a folder, half a sentence; null: it can. */
export function shareObstacle({ dialect, readOnly }: Pick<Virtiofsd, 'dialect' | 'readOnly'>, share: Pick<Share, 'folder' | 'readOnly'>): string | null {
  if (share.readOnly && !readOnly) return 'this computer’s virtiofsd can’t keep a guest from writing (one of version 1.13 or later can)'
  if (dialect === 'c' && share.folder.includes(',')) return 'this computer’s virtiofsd takes no folder with a comma in its path'
  return null
}
