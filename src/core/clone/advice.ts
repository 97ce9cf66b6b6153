import type { CloneRequest, MachineDefinition, OsCatalog } from '@shared/model'

/** What is to be known about a clone that has just been made, a sentence or two each. A disk has the identity of its guest on it, and memory has even more. */
export function adviceFor({ warm }: Pick<CloneRequest, 'warm'>, { osId, origin, tpm }: Pick<MachineDefinition, 'osId' | 'origin'> & Partial<Pick<MachineDefinition, 'tpm'>>, catalog: OsCatalog): string[] {
  const original = `“${origin?.machineName ?? ''}”`
  const advice: string[] = []
  if (warm) advice.push(`Its guest goes on from the memory of ${original}: until it is started cold, it has that one’s name, network addresses and identity.`)
  if (tpm != null) advice.push(`Its TPM is a copy of that of ${original}, with all keys: each of the two opens what the other has sealed, such as a disk encrypted with BitLocker. Change those keys in one of them if they go to different people.`)
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
