import { isLive, type Snapshot, type SnapshotPolicy } from '@shared/model'
import { formatBytes } from '../../lib/format'

/** A mark beside a snapshot's name. `title` says in a sentence what it means. */
export interface Badge { readonly icon: string; readonly label: string; readonly title: string; readonly tone: 'plain' | 'notable' }

const ran = (snapshot: Snapshot): boolean => isLive(snapshot.machineState)

/** What a snapshot holds and why it is there, in a word each. */
export function badgesOf(snapshot: Snapshot): Badge[] {
  const badges: Badge[] = []
  if (snapshot.memory) badges.push({ icon: 'i-lucide-memory-stick', label: 'Memory', title: 'With memory: the guest can go on at that instant.', tone: 'plain' })
  else if (ran(snapshot)) badges.push({ icon: 'i-lucide-hard-drive', label: 'Disks only', title: 'Taken of a running machine without its memory: its disks are as after a power cut.', tone: 'plain' })
  if (snapshot.kind === 'automatic') badges.push({ icon: 'i-lucide-calendar-clock', label: 'Automatic', title: 'Taken by itself; it goes by itself when its time is over.', tone: 'plain' })
  if (snapshot.kind === 'base') badges.push({ icon: 'i-lucide-anchor', label: 'Base', title: 'Taken so that a clone has something to stand on.', tone: 'plain' })
  if (snapshot.clones.length > 0) {
    const count = snapshot.clones.length
    badges.push({
      icon: 'i-lucide-pin', label: count === 1 ? '1 clone' : `${String(count)} clones`, tone: 'notable',
      title: `${namesOf(snapshot.clones)} ${count === 1 ? 'reads' : 'read'} from it, so it can’t be deleted.`,
    })
  }
  return badges
}

/** `“a”`, `“a” and “b”`, `“a”, “b” and 3 more`. */
export function namesOf(machines: readonly { readonly name: string }[]): string {
  const quoted = machines.map((machine) => `“${machine.name}”`)
  if (quoted.length > 3) return `${quoted.slice(0, 2).join(', ')} and ${String(quoted.length - 2)} more`
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} and ${quoted.at(-1) ?? ''}`
}

export interface SnapshotFact { readonly label: string; readonly text: string; readonly detail?: string }

/** What is to be known about how a snapshot was taken. */
export function factsOf(snapshot: Snapshot): SnapshotFact[] {
  const facts: SnapshotFact[] = [memoryFact(snapshot)]
  if (snapshot.pauseMs !== null) facts.push({ label: 'Stood still', text: pauseWords(snapshot.pauseMs) })
  // With its memory the guest goes on in the middle of what it was writing: nothing is cut off.
  if (ran(snapshot) && (snapshot.quiesced || snapshot.memory === null)) facts.push({ label: 'File systems', text: snapshot.quiesced ? 'Held still by the guest’s agent' : 'As they were, like after a power cut' })
  facts.push({ label: 'Kind', text: { manual: 'Taken by hand', automatic: 'Automatic; goes when its time is over', base: 'Base of clones' }[snapshot.kind] })
  return facts
}

function memoryFact(snapshot: Snapshot): SnapshotFact {
  const { memory, method } = snapshot
  if (memory === null) return { label: 'Memory', text: ran(snapshot) ? 'Not kept' : 'None: the machine was off' }
  const how = snapshot.machineState === 'saved' ? 'Kept as it was saved to disk' : method === 'live' ? 'Kept while the guest went on' : snapshot.machineState === 'paused' ? 'Kept of the paused guest' : 'Kept while the guest stood still'
  const made = [formatBytes(memory.sizeBytes), ...(memory.compression === 'none' ? [] : ['compressed']), `QEMU ${memory.qemuVersion}`, memory.accelerator.toUpperCase()]
  return { label: 'Memory', text: how, detail: made.join(' · ') }
}

/** A short stretch of time, as people tell it apart: `9 ms`, `1.8 s`. */
export function pauseWords(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds < 10 ? String(Math.round(milliseconds * 10) / 10) : milliseconds.toFixed(0)} ms` : `${(milliseconds / 1000).toFixed(1)} s`
}

const everyWords: Readonly<Record<SnapshotPolicy['every'], string>> = { hour: 'every hour', day: 'every day', week: 'every week' }

/** `every hour, keeps 24 hourly, 7 daily`. */
export function policyWords(policy: SnapshotPolicy): string {
  const { hourly, daily, weekly } = policy.keep
  const kept = [[hourly, 'hourly'], [daily, 'daily'], [weekly, 'weekly']] as const
  return `${everyWords[policy.every]}, keeps ${kept.filter(([count]) => count > 0).map(([count, word]) => `${String(count)} ${word}`).join(', ')}`
}

/** Whether every word of what was typed is somewhere in the snapshot's name, description or marks. */
export function matchesSearch(snapshot: Snapshot, typed: string): boolean {
  const text = `${snapshot.name} ${snapshot.description} ${badgesOf(snapshot).map((badge) => badge.label).join(' ')}`.toLocaleLowerCase()
  return typed.toLocaleLowerCase().split(/\s+/u).every((word) => text.includes(word))
}
