import { isLive, memoryIsPlain, type MachineView, type Snapshot } from '@shared/model'

/** Whether a clone can go on from memory: what it then is, or why not. */
export function warmChoice(machine: MachineView, snapshot: Snapshot | null): { explains: string; whyNot: string | null } {
  const explains = 'Ready to use at once, with everything open that is open in the original.'
  if (snapshot) return { explains, whyNot: snapshot.memory ? null : 'This snapshot has no memory.' }
  if (machine.state === 'saved') return { explains, whyNot: null }
  if (isLive(machine.state)) return { explains, whyNot: 'The memory of a machine that runs can’t be shared. Take a snapshot with memory and branch off that, or save the machine to disk.' }
  return { explains, whyNot: 'The original is off, so there is no memory to go on from.' }
}

/** What is to be known before, a sentence each. */
export function cloneNotes(machine: MachineView, snapshot: Snapshot | null, kind: 'full' | 'linked', warm: boolean): string[] {
  const notes: string[] = []
  const { definition } = machine
  const needsBase = snapshot === null && !definition.template && (kind === 'linked' || isLive(machine.state))
  if (needsBase) {
    notes.push(
      kind === 'linked'
        ? `A snapshot of “${definition.name}” is taken first, for the clone to stand on. It can’t be deleted while the clone lives.`
        : 'The machine runs, so a snapshot of its disks is taken first and copied: the clone boots as after a power cut.',
    )
  }
  notes.push(
    warm
      ? 'Until it is started afresh, the guest has the network address and the identity of the original in its memory: keep the two apart on a network.'
      : 'It gets an identity and network addresses of its own. What the guest keeps on its disk, such as its host name, machine id and SSH keys, is still the original’s.',
  )
  return notes
}

/** Of the disks of a full clone: as the original's, with a key and passphrase of its own, or plain. */
export type CloneEncryption = 'keep' | 'new' | 'none'

/** What can be chosen of it; empty: there is nothing to choose. */
export function encryptionChoices({ definition: { name, disks } }: MachineView): { value: CloneEncryption; label: string; explains: string }[] {
  if (disks.length === 0) return []
  const isEncrypted = disks.some(({ encrypted }) => encrypted)
  if (!isEncrypted) return [{ value: 'keep', label: 'Not encrypted', explains: 'As the original’s.' }, { value: 'new', label: 'Encrypted', explains: 'With a passphrase of its own.' }]
  return [
    { value: 'keep', label: 'Encrypted, as the original', explains: `The passphrase of “${name}” opens it.` },
    { value: 'new', label: 'Encrypted anew', explains: 'With a key and a passphrase of its own.' },
    { value: 'none', label: 'Not encrypted', explains: 'Whoever has its files can read them.' },
  ]
}

/** What is to be known of it before, a sentence each. */
export function encryptionNotes({ definition: { name } }: MachineView, encryption: CloneEncryption, warm: boolean): string[] {
  if (encryption !== 'new') return []
  return [`“${name}” stays as it is, and so do its files. Once the clone has started well, “${name}” can be deleted.`, ...(warm ? [memoryIsPlain] : [])]
}
