import type { CloneRequest, MachineDefinition, OsCatalog } from '@shared/model'

/** What is to be known about a clone that has just been made, a sentence or two each. A disk has the identity of its guest on it, and memory has even more. */
export function adviceFor({ warm }: Pick<CloneRequest, 'warm'>, { osId, origin }: Pick<MachineDefinition, 'osId' | 'origin'>, catalog: OsCatalog): string[] {
  const original = `“${origin?.machineName ?? ''}”`
  const advice: string[] = []
  if (warm) advice.push(`Its guest goes on from the memory of ${original}: until it is started cold, it has that one’s name, network addresses and identity.`)
  switch (catalog.entries.find((entry) => entry.id === osId)?.family) {
    case 'linux':
      advice.push(`The Linux on its disk has the machine id and the SSH host keys of ${original}. Before both are on one network, give it its own: “rm /etc/machine-id /etc/ssh/ssh_host_*”, then “systemd-machine-id-setup” and “ssh-keygen -A”.`)
      break
    case 'windows':
      advice.push(`The Windows on its disk has the computer name and the identity of ${original}. Before both are in one domain, run “sysprep /generalize” in it.`)
      break
    case 'bsd':
    case 'other':
    case undefined:
      break
  }
  return advice
}
