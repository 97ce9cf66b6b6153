import { memoryIsPlain, type MachineView } from '@shared/model'
import { formatBytes } from '../lib/format'
import { confirm } from '../ui/confirm'
import { useClient } from '../transport/client'

/** Whether pulling the plug loses nothing that a person could miss: the sample keeps its one number on disk at once. */
function losesNothing(machine: MachineView): boolean {
  return machine.definition.osId.includes('sample') || machine.state === 'starting'
}

export async function askPowerOff(machine: MachineView): Promise<boolean> {
  if (losesNothing(machine)) return true
  if (machine.run?.disposable === true) return askEndOfDisposable(machine)
  const { confirmed } = await confirm({
    title: `Power off “${machine.definition.name}”?`,
    message: 'The machine stops at once, as if its plug were pulled. Whatever the guest has not written to disk is lost. “Shut down” lets it end in good order.',
    confirmLabel: 'Power off',
    dangerous: true,
  })
  return confirmed
}

async function askEndOfDisposable(machine: MachineView): Promise<boolean> {
  const { confirmed } = await confirm({
    title: `Power off “${machine.definition.name}”?`,
    message: 'This run is disposable: everything that the guest has written since it started is thrown away.',
    confirmLabel: 'Power off',
    dangerous: true,
  })
  return confirmed
}

/** Asks only where something would lie in the clear that the person has had encrypted. */
export async function askSave(machine: MachineView): Promise<boolean> {
  if (!machine.definition.disks.some((disk) => disk.encrypted)) return true
  const { confirmed } = await confirm({
    title: `Save “${machine.definition.name}” to disk?`,
    message: `Its disks are encrypted, its memory is not. ${memoryIsPlain} It lies there until the machine goes on. “Shut down” leaves nothing of it behind.`,
    confirmLabel: 'Save to disk',
  })
  return confirmed
}

export async function askReset(machine: MachineView): Promise<boolean> {
  if (losesNothing(machine)) return true
  const { confirmed } = await confirm({
    title: `Reset “${machine.definition.name}”?`,
    message: 'The machine starts over at once, as if its reset button were pressed. Whatever the guest has not written to disk is lost.',
    confirmLabel: 'Reset',
    dangerous: true,
  })
  return confirmed
}

export async function askDiscard(machine: MachineView): Promise<boolean> {
  const { confirmed } = await confirm({
    title: `Discard the saved state of “${machine.definition.name}”?`,
    message: 'The machine will boot afresh at its next start, as after a power cut. Programs that were open in the guest are gone.',
    destroys: [{ text: 'Memory and devices as they were saved', ...(machine.saved ? { detail: formatBytes(machine.saved.sizeBytes) } : {}) }],
    keeps: [{ text: 'Every disk, as it is now' }],
    confirmLabel: 'Discard',
    dangerous: true,
  })
  return confirmed
}

export async function askUnmakeTemplate(machine: MachineView): Promise<boolean> {
  const { confirmed } = await confirm({
    title: `Turn “${machine.definition.name}” back into a machine?`,
    message: 'It can be started and changed again, and is no longer offered as something to make clones of. No linked clone may stand on it.',
    keeps: [{ text: 'Its disks, its settings and its snapshots' }, ...(machine.saved ? [{ text: 'Its saved memory: its next start goes on from there', detail: formatBytes(machine.saved.sizeBytes) }] : [])],
    confirmLabel: 'Turn back',
  })
  return confirmed
}

export async function askDetach(machine: MachineView): Promise<boolean> {
  const original = machine.definition.origin?.machineName ?? ''
  const { confirmed } = await confirm({
    title: `Make “${machine.definition.name}” independent?`,
    message: `What its disks read from “${original}” is copied into its own folder. That takes a while and as much room as the disks of the original; afterwards neither needs the other.`,
    confirmLabel: 'Make independent',
  })
  return confirmed
}

export async function askConvert(machine: MachineView): Promise<boolean> {
  const disks = machine.definition.disks.filter((disk) => !disk.readOnly && (disk.format !== 'qcow2' || disk.image.kind === 'external'))
  const { confirmed } = await confirm({
    title: `Bring the disks of “${machine.definition.name}” into its folder?`,
    message: 'Each is copied into the machine’s folder as qcow2, which snapshots can hold. The machine uses the copies from then on.',
    keeps: disks.map((disk) => ({ text: disk.image.path, detail: 'stays where it is' })),
    confirmLabel: 'Convert',
  })
  return confirmed
}

/** Names the disks that go and those that stay. null: the person thought better of it. */
export async function askDelete(machine: MachineView): Promise<{ permanently: boolean } | null> {
  const plan = await useClient().machine.deletePlan({ id: machine.id })
  const inFolder = (path: string): string => (path.startsWith(plan.folder) ? path.slice(plan.folder.length + 1) : path)
  const { confirmed, checked } = await confirm({
    title: `Delete “${machine.definition.name}”?`,
    message: plan.toTrash
      ? `The machine's folder (${formatBytes(plan.bytes)}) moves to the trash, with everything in it.`
      : `This computer has no trash for this folder: ${formatBytes(plan.bytes)} are deleted for good.`,
    destroys: plan.deletes.map((file) => ({ text: inFolder(file.path), detail: formatBytes(file.bytes) })),
    keeps: plan.keeps.map((path) => ({ text: path, detail: 'outside the library' })),
    confirmLabel: plan.toTrash ? 'Move to trash' : 'Delete for good',
    dangerous: true,
    ...(plan.toTrash ? { checkbox: { label: 'Delete for good instead of moving it to the trash', initially: false, confirmLabel: 'Delete for good' } } : {}),
  })
  return confirmed ? { permanently: checked || !plan.toTrash } : null
}
