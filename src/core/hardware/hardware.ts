import { isDeepStrictEqual } from 'node:util'
import { invalidInput, type Issue, schemaIssues } from '@shared/errors'
import { freshNvram, type MachineDefinition, MachineHardware } from '@shared/model'
import { nvramLayer } from '../engine/engine'
import { tpmLine } from '../library'
import { topsOf, withTops, withTpmState } from '../snapshot/definition-layers'

const hardwareKeys = Object.keys(MachineHardware.shape) as (keyof MachineHardware)[]

/** What a machine is made of, from all that is said of it. */
export function hardwareOf(definition: MachineDefinition): MachineHardware {
  return Object.fromEntries(hardwareKeys.map((key) => [key, definition[key]])) as MachineHardware
}

export function withHardware(definition: MachineDefinition, hardware: MachineHardware): MachineDefinition {
  return { ...definition, ...hardware }
}

/** Hardware as somebody wrote it, with every fault by its path. */
export function parseHardware(raw: unknown): { hardware: MachineHardware; issues: [] } | { hardware: null; issues: Issue[] } {
  const parsed = MachineHardware.safeParse(raw, { reportInput: true })
  if (parsed.success) return { hardware: parsed.data, issues: [] }
  return {
    hardware: null,
    issues: schemaIssues(parsed.error).map((issue) => ({ path: issue.path.join('.'), message: issue.message, ...receivedOf(issue.input), severity: 'error' as const })),
  }
}

/** Throws `INVALID_INPUT` with every fault when there is one. */
export function refuseFaults(issues: readonly Issue[]): void {
  const faults = issues.filter(({ severity }) => severity === 'error')
  if (faults.length > 0) throw invalidInput(faults)
}

/**
 * The hardware with the layers that the machine's disks have now, and the state that its TPM has. In which file a disk that is there both times lies is no matter of the hardware: every snapshot
 * changes it, while an editor is open as well.
 */
export function inPresentLayers(hardware: MachineHardware, present: Pick<MachineDefinition, 'disks' | 'firmware' | 'tpm'>): MachineHardware {
  const tops = topsOf(present)
  const follows = ([key, path]: [string, string]): boolean => {
    if (key === nvramLayer) return hardware.firmware.type === 'uefi' && hardware.firmware.nvram !== freshNvram
    const image = hardware.disks.find(({ id }) => id === key)?.image
    return image === undefined || (image.kind === 'own' && (image.path === path || isLayerOf(key, image.path)))
  }
  const tpmState = hardware.tpm !== null && present.tpm !== null && tpmLine(hardware.tpm.state) === tpmLine(present.tpm.state) ? present.tpm.state : null
  return withTpmState(withTops(hardware, Object.fromEntries(Object.entries(tops).filter(follows))), tpmState)
}

/** A name that the first or a further layer of a disk has. */
function isLayerOf(diskId: string, path: string): boolean {
  return path.startsWith(`disks/${diskId}.`) && /^([0-9a-f]{8}\.)?qcow2$/u.test(path.slice(`disks/${diskId}.`.length))
}

/** Whether they are the same but for the layers of the disks. */
export function isSameHardware(a: MachineHardware, b: MachineHardware): boolean {
  return isDeepStrictEqual(inPresentLayers(a, b), b)
}

function receivedOf(value: unknown): { received?: string } {
  const text = JSON.stringify(value) as string | undefined
  return text === undefined ? {} : { received: text.length > 200 ? `${text.slice(0, 200)}…` : text }
}

/**
 * What runs, and what the hardware will be at the next start where that differs. What runs is told with the layers that are stored: a layer more is no other disk.
 * @param stored `machine.json`
 * @param running what QEMU has
 */
export function presentAndNext(stored: MachineDefinition, running: MachineDefinition): { definition: MachineDefinition; next: MachineHardware | null } {
  const now = inPresentLayers(hardwareOf(running), stored)
  const next = hardwareOf(stored)
  return { definition: withHardware(stored, now), next: isDeepStrictEqual(now, next) ? null : next }
}

/**
 * What runs, with the network addresses that are the machine's own. A clone that goes on from its original's memory has borrowed that one's until it is started cold, which is no
 * change of its hardware.
 */
export function withOwnAddresses({ definition, ownAddresses = {} }: { definition: MachineDefinition; ownAddresses?: Readonly<Record<string, string>> | undefined }): MachineDefinition {
  return { ...definition, nics: definition.nics.map((nic) => ({ ...nic, macAddress: ownAddresses[nic.id] ?? nic.macAddress })) }
}
