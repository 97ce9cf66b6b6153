import trash from 'trash'

/** Moves a file or folder to the system's trash, outside Electron (inside it, the shell's own call is better). Throws where there is none. */
export async function systemTrash(path: string): Promise<void> {
  // Never as a pattern: a name may have brackets and stars in it.
  await trash(path, { glob: false })
}
